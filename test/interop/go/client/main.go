// Package client is a program on the official packages alone, go.etcd.io/etcd/client/v3/naming and grpc-go: what our output
// must please. Each module beside this one builds it with another version of them.
//
//	list      -endpoint URL TARGET   what Manager.List returns
//	listbench -endpoint URL TARGET   how long Manager.List takes, -n times
//	watch     -endpoint URL TARGET   every message of Manager.NewWatchChannel
//	update    -endpoint URL TARGET   one Manager.Update a line of standard input
//	dial      -endpoint URL TARGET   calls etcd:///TARGET at a fixed rate; one line a call
//	resolve   -endpoint URL TARGET   every list of addresses that a connection to etcd:///TARGET is given; its memory on SIGUSR1
//	serve     ADDRESS                a gRPC server with the standard health service
//	codec                            what Manager writes and reads, a value a line of standard input; without an etcd
//	targets                          what a dialled string means, a string a line of standard input; without an etcd
//
// It prints one JSON object a line. Times are milliseconds since 1970.
package client

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Main runs the subcommand named by the first argument, until it is done or told to stop by SIGINT or SIGTERM.
func Main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: go-client list|listbench|watch|update|dial|resolve|serve|codec|targets"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	name := os.Args[1]
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	endpoint := flags.String("endpoint", "http://127.0.0.1:2379", "etcd")
	policy := flags.String("policy", "round_robin", "load balancing: round_robin or pick_first (dial, resolve)")
	rate := flags.Float64("rate", 10, "calls a second (dial)")
	timeout := flags.Duration("timeout", 5*time.Second, "deadline of a call (dial)")
	method := flags.String("method", "/grpc.health.v1.Health/Check", "method to call with an empty message (dial)")
	repeat := flags.Int("n", 1, "how many times (listbench)")
	check(flags.Parse(os.Args[2:]))
	arguments := 1
	if name == "codec" || name == "targets" {
		arguments = 0
	}
	if flags.NArg() != arguments {
		fail(fmt.Errorf("go-client %s takes %d arguments beside its flags, not %d", name, arguments, flags.NArg()))
	}
	argument := flags.Arg(0)

	switch name {
	case "list":
		list(ctx, connect(*endpoint), argument)
	case "listbench":
		listbench(ctx, connect(*endpoint), argument, *repeat)
	case "watch":
		watch(ctx, connect(*endpoint), argument)
	case "update":
		update(ctx, connect(*endpoint), argument)
	case "dial":
		dial(ctx, connect(*endpoint), argument, *policy, *method, *rate, *timeout)
	case "resolve":
		resolve(ctx, connect(*endpoint), argument, *policy)
	case "serve":
		serve(ctx, argument)
	case "codec":
		codec(ctx)
	case "targets":
		targets(ctx)
	default:
		fail(fmt.Errorf("unknown command %q", name))
	}
}

func connect(endpoint string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second})
	check(err)
	return client
}

func milliseconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1000 }

type failure struct {
	Error string `json:"error"`
}

// eachLine answers every line of standard input, in order, by the line that answer returns.
func eachLine(answer func(line []byte) any) {
	input := bufio.NewReaderSize(os.Stdin, 1<<16)
	for {
		line, err := input.ReadBytes('\n')
		if len(line) > 0 {
			printLine(answer(line))
		}
		if err == io.EOF {
			return
		}
		check(err)
	}
}

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
