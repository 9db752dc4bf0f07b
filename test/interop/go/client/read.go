package client

import (
	"context"
	"fmt"
	"sort"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
)

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

// listbench prints how long each List took, and how many endpoints it returned.
func listbench(ctx context.Context, client *clientv3.Client, target string, repeat int) {
	manager, err := endpoints.NewManager(client, target)
	check(err)
	for range repeat {
		start := time.Now()
		found, err := manager.List(ctx)
		took := time.Since(start)
		check(err)
		printLine(struct {
			DurationMs float64 `json:"durationMs"`
			Endpoints  int     `json:"endpoints"`
		}{float64(took.Nanoseconds()) / 1e6, len(found)})
	}
}
