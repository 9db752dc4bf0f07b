package client

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
)

type call struct {
	// AtMs is when the call began.
	AtMs       float64 `json:"atMs"`
	DurationMs float64 `json:"durationMs"`
	// Peer is the address that answered; empty when none did.
	Peer  string `json:"peer"`
	Error string `json:"error,omitempty"`
}

// dial does what the documentation of etcd tells users to do, and nothing to hide trouble: no retries, no wait-for-ready.
// A slow call does not delay the next one.
func dial(ctx context.Context, client *clientv3.Client, target, policy, method string, rate float64, timeout time.Duration) {
	builder, err := resolver.NewBuilder(client)
	check(err)
	connection, err := grpc.NewClient("etcd:///"+target,
		grpc.WithResolvers(builder),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig(policy)),
	)
	check(err)
	defer connection.Close()

	var calls sync.WaitGroup
	ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			calls.Wait()
			return
		case <-ticker.C:
			calls.Go(func() { printLine(callOnce(connection, method, timeout)) })
		}
	}
}

func serviceConfig(policy string) string {
	return fmt.Sprintf(`{"loadBalancingConfig": [{%q: {}}]}`, policy)
}

// callOnce has its own deadline only: being told to stop does not make calls under way fail.
func callOnce(connection *grpc.ClientConn, method string, timeout time.Duration) call {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	start := time.Now()
	var from peer.Peer
	request, response := &grpc_health_v1.HealthCheckRequest{}, &grpc_health_v1.HealthCheckResponse{}
	err := connection.Invoke(ctx, method, request, response, grpc.Peer(&from))
	result := call{AtMs: milliseconds(start), DurationMs: float64(time.Since(start).Microseconds()) / 1000}
	if err != nil {
		result.Error = err.Error()
	} else if from.Addr != nil {
		result.Peer = from.Addr.String()
	}
	return result
}

// serve answers on every address of the machine when told 0.0.0.0, so one server can be all Pods of 127.1.0.0/24.
func serve(ctx context.Context, address string) {
	listener, err := net.Listen("tcp", address)
	check(err)
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() {
		<-ctx.Done()
		server.Stop()
	}()
	printLine(struct {
		Listening string `json:"listening"`
	}{listener.Addr().String()})
	check(server.Serve(listener))
}
