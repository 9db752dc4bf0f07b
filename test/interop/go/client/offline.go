package client

import (
	"context"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// store stands in for an etcd of one key, so that the official packages do all the work and nobody has to mirror them. What
// they do not need is nil, and panics.
type store struct {
	clientv3.KV
	clientv3.Watcher
	// value is what every Get finds; nil: nothing.
	value []byte
	// got is the key of the last Get.
	got string
	// put is what the last Txn wrote.
	put []byte
}

// client is etcd's own, with this store instead of a connection.
func (s *store) client(ctx context.Context) *clientv3.Client {
	client := clientv3.NewCtxClient(ctx)
	client.KV, client.Watcher = s, s
	return client
}

func (s *store) Get(_ context.Context, key string, _ ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	s.got = key
	response := &clientv3.GetResponse{Header: &etcdserverpb.ResponseHeader{}}
	if s.value != nil {
		response.Kvs = []*mvccpb.KeyValue{{Key: []byte(key + "0"), Value: s.value}}
	}
	return response, nil
}

// Watch never says anything.
func (s *store) Watch(context.Context, string, ...clientv3.OpOption) clientv3.WatchChan {
	return make(clientv3.WatchChan)
}

// Close is of both interfaces.
func (s *store) Close() error { return nil }

func (s *store) Txn(context.Context) clientv3.Txn { return &txn{store: s} }

type txn struct {
	clientv3.Txn
	store *store
	ops   []clientv3.Op
}

func (t *txn) Then(ops ...clientv3.Op) clientv3.Txn {
	t.ops = ops
	return t
}

func (t *txn) Commit() (*clientv3.TxnResponse, error) {
	for _, op := range t.ops {
		t.store.put = op.ValueBytes()
	}
	return &clientv3.TxnResponse{Succeeded: true}, nil
}
