package client

import (
	"context"
	"encoding/json"
	"strings"

	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	gresolver "google.golang.org/grpc/resolver"
)

type dialled struct {
	// Target is whose endpoints etcd's resolver reads. Bytes, because it need not be UTF-8.
	Target []byte `json:"target"`
	// Authority is what every call will carry as :authority.
	Authority string `json:"authority"`
}

// targets answers each line, a JSON string, by what grpc-go and etcd's own resolver make of it as a dial target.
func targets(ctx context.Context) {
	eachLine(func(line []byte) any {
		var target string
		check(json.Unmarshal(line, &target))
		store := &store{}
		builder, err := resolver.NewBuilder(store.client(ctx))
		check(err)
		spy := &buildSpy{Builder: builder}
		connection, err := grpc.NewClient(target,
			grpc.WithResolvers(spy),
			grpc.WithNoProxy(),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
		)
		if err != nil {
			return failure{err.Error()}
		}
		defer connection.Close()
		// What grpc-go can not read, or has no scheme that it knows, goes to another resolver: do not wake that.
		if canonical := connection.CanonicalTarget(); !strings.HasPrefix(canonical, spy.Scheme()+":") {
			return failure{"not for etcd's resolver: " + canonical}
		}
		// Builds the resolver before it returns.
		connection.Connect()
		if spy.err != nil {
			return failure{spy.err.Error()}
		}
		return dialled{[]byte(strings.TrimSuffix(store.got, "/")), spy.authority}
	})
}

// buildSpy notes what grpc-go tells a resolver, and what the resolver thinks of it.
type buildSpy struct {
	gresolver.Builder
	authority string
	err       error
}

func (b *buildSpy) Build(target gresolver.Target, connection gresolver.ClientConn, options gresolver.BuildOptions) (gresolver.Resolver, error) {
	b.authority = options.Authority
	built, err := b.Builder.Build(target, connection, options)
	b.err = err
	return built, err
}
