// Command go-client, built on the packages of etcd client 3.5.35: see package client.
package main

import "grpcetcd.dev/test/interop/go/client"

func main() { client.Main() }
