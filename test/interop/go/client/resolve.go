package client

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"sort"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	gresolver "google.golang.org/grpc/resolver"
)

// resolve connects to a target, with round_robin to all its endpoints, and prints each list of addresses that etcd's resolver gives to grpc-go.
func resolve(ctx context.Context, client *clientv3.Client, target, policy string) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	builder, err := resolver.NewBuilder(client)
	check(err)
	connection, err := grpc.NewClient("etcd:///"+target,
		grpc.WithResolvers(printingBuilder{builder}),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig(policy)),
	)
	check(err)
	defer connection.Close()
	connection.Connect()
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
			// Collects garbage, too.
			debug.FreeOSMemory()
			printLine(struct {
				RssBytes int64 `json:"rssBytes"`
			}{residentBytes()})
		}
	}
}

type printingBuilder struct{ gresolver.Builder }

func (b printingBuilder) Build(target gresolver.Target, connection gresolver.ClientConn, options gresolver.BuildOptions) (gresolver.Resolver, error) {
	return b.Builder.Build(target, printingConn{connection}, options)
}

type printingConn struct{ gresolver.ClientConn }

// UpdateState takes the time first and prints last: printing thousands of addresses must not delay the connection.
func (c printingConn) UpdateState(state gresolver.State) error {
	at := time.Now()
	addresses := []string{}
	for _, endpoint := range state.Endpoints {
		for _, address := range endpoint.Addresses {
			addresses = append(addresses, address.Addr)
		}
	}
	err := c.ClientConn.UpdateState(state)
	sort.Strings(addresses)
	printLine(struct {
		AtMs      float64  `json:"atMs"`
		Addresses []string `json:"addresses"`
	}{milliseconds(at), addresses})
	return err
}

// residentBytes is Linux' own count.
func residentBytes() int64 {
	status, err := os.ReadFile("/proc/self/status")
	check(err)
	for _, line := range strings.Split(string(status), "\n") {
		var kilobytes int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kilobytes); err == nil {
			return kilobytes * 1024
		}
	}
	fail(fmt.Errorf("/proc/self/status has no VmRSS"))
	return 0
}
