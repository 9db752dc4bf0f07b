module grpcetcd.dev/dev/tools/certificates

go 1.26.0
