package client

import (
	"context"
	"encoding/json"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
)

// update answers each line, a JSON list of entries, by the outcome of one Manager.Update of them.
func update(ctx context.Context, client *clientv3.Client, target string) {
	manager, err := endpoints.NewManager(client, target)
	check(err)
	eachLine(func(line []byte) any {
		var entries []entry
		check(json.Unmarshal(line, &entries))
		updates := []*endpoints.UpdateWithOpts{}
		for _, entry := range entries {
			endpoint := endpoints.Endpoint{Addr: entry.Addr, Metadata: entry.Metadata}
			switch entry.Op {
			case "add":
				updates = append(updates, endpoints.NewAddUpdateOpts(entry.Key, endpoint))
			case "delete":
				updates = append(updates, endpoints.NewDeleteUpdateOpts(entry.Key))
			default:
				const unknown endpoints.Operation = 255
				updates = append(updates, &endpoints.UpdateWithOpts{Update: endpoints.Update{Op: unknown, Key: entry.Key}})
			}
		}
		if err := manager.Update(ctx, updates); err != nil {
			return failure{err.Error()}
		}
		return struct {
			Ok bool `json:"ok"`
		}{true}
	})
}
