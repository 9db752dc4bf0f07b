package client

import (
	"context"
	"encoding/json"

	"go.etcd.io/etcd/client/v3/naming/endpoints"
)

type codecRequest struct {
	Encode *struct {
		Addr string `json:"addr"`
		// Metadata is JSON text, in a string: it may nest as deep as Go reads.
		Metadata string `json:"metadata"`
	} `json:"encode"`
	// Decode is a stored value, in base64.
	Decode []byte `json:"decode"`
}

type endpointRead struct {
	Addr     string `json:"addr"`
	Metadata any    `json:"metadata"`
}

// codec answers "encode" by the value that Manager.Update puts, and "decode" by the endpoint that Manager.List returns.
func codec(ctx context.Context) {
	store := &store{}
	manager, err := endpoints.NewManager(store.client(ctx), "t")
	check(err)
	eachLine(func(line []byte) any {
		var request codecRequest
		check(json.Unmarshal(line, &request))
		if request.Encode != nil {
			endpoint := endpoints.Endpoint{Addr: request.Encode.Addr}
			if err := json.Unmarshal([]byte(request.Encode.Metadata), &endpoint.Metadata); err != nil {
				return failure{"metadata: " + err.Error()}
			}
			if err := manager.AddEndpoint(ctx, "t/0", endpoint); err != nil {
				return failure{err.Error()}
			}
			return struct {
				Value []byte `json:"value"`
			}{store.put}
		}
		store.value = request.Decode
		found, err := manager.List(ctx)
		check(err)
		endpoint, ok := found["t/0"]
		if !ok {
			return failure{"skipped"}
		}
		return endpointRead{endpoint.Addr, endpoint.Metadata}
	})
}
