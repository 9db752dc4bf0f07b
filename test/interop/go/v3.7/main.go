// Command go-client, built on the packages of etcd client 3.7.3: see package client.
package main

import "grpcetcd.dev/test/interop/go/client"

func main() { client.Main() }
