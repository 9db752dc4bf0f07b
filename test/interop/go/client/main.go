// Package client is a program on the official packages alone, go.etcd.io/etcd/client/v3/naming and grpc-go: what our output
// must please. Each module beside this one builds it with another version of them.
//
//	list   -endpoint URL TARGET   what Manager.List returns
//	watch  -endpoint URL TARGET   every message of Manager.NewWatchChannel
//	dial   -endpoint URL TARGET   calls etcd:///TARGET, round_robin, at a fixed rate; one line a call
//	serve  ADDRESS                a gRPC server with the standard health service
//
// It prints one JSON object a line. Times are milliseconds since 1970.
package client

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
)

// Main runs the subcommand named by the first argument, until it is done or told to stop by SIGINT or SIGTERM.
func Main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: go-client list|watch|dial|serve"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	endpoint := flags.String("endpoint", "http://127.0.0.1:2379", "etcd")
	rate := flags.Float64("rate", 10, "calls a second (dial)")
	timeout := flags.Duration("timeout", 5*time.Second, "deadline of a call (dial)")
	method := flags.String("method", "/grpc.health.v1.Health/Check", "method to call with an empty message (dial)")
	check(flags.Parse(os.Args[2:]))
	if flags.NArg() != 1 {
		fail(fmt.Errorf("usage: go-client %s [flags] TARGET", os.Args[1]))
	}
	argument := flags.Arg(0)

	switch os.Args[1] {
	case "list":
		list(ctx, connect(*endpoint), argument)
	case "watch":
		watch(ctx, connect(*endpoint), argument)
	case "dial":
		dial(ctx, connect(*endpoint), argument, *method, *rate, *timeout)
	case "serve":
		serve(ctx, argument)
	default:
		fail(fmt.Errorf("unknown command %q", os.Args[1]))
	}
}

func connect(endpoint string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second})
	check(err)
	return client
}

type entry struct {
	Op       string `json:"op,omitempty"`
	Key      string `json:"key"`
	Addr     string `json:"addr"`
	Metadata any    `json:"metadata"`
}

func list(ctx context.Context, client *clientv3.Client, target string) {
	manager, err := endpoints.NewManager(client, target)
	check(err)
	found, err := manager.List(ctx)
	check(err)
	entries := []entry{}
	for key, endpoint := range found {
		entries = append(entries, entry{Key: key, Addr: endpoint.Addr, Metadata: endpoint.Metadata})
	}
	sort.Slice(entries, func(a, b int) bool { return entries[a].Key < entries[b].Key })
	printLine(struct {
		Endpoints []entry `json:"endpoints"`
	}{entries})
}

func watch(ctx context.Context, client *clientv3.Client, target string) {
	manager, err := endpoints.NewManager(client, target)
	check(err)
	messages, err := manager.NewWatchChannel(ctx)
	check(err)
	for message := range messages {
		updates := []entry{}
		for _, update := range message {
			op := "add"
			if update.Op == endpoints.Delete {
				op = "delete"
			}
			updates = append(updates, entry{op, update.Key, update.Endpoint.Addr, update.Endpoint.Metadata})
		}
		printLine(struct {
			AtMs    float64 `json:"atMs"`
			Updates []entry `json:"updates"`
		}{milliseconds(time.Now()), updates})
	}
	if ctx.Err() == nil {
		fail(fmt.Errorf("the watch channel was closed"))
	}
}

func milliseconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1000 }

var output sync.Mutex

// printLine writes a whole line at once, whatever goroutine calls it.
func printLine(value any) {
	line, err := json.Marshal(value)
	check(err)
	output.Lock()
	defer output.Unlock()
	_, err = os.Stdout.Write(append(line, '\n'))
	check(err)
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
