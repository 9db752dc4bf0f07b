// Command certificates writes a certificate authority and a server's and a client's certificate signed by it, for tests.
//
//	certificates DIRECTORY CLIENT-NAME VALID-SECONDS
//
// An authority found in the directory is used again; the other two are always new. Files appear whole (rename), key first,
// because the programs under test watch them.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) != 4 {
		fail(fmt.Errorf("usage: certificates DIRECTORY CLIENT-NAME VALID-SECONDS"))
	}
	directory, client := os.Args[1], os.Args[2]
	seconds, err := strconv.Atoi(os.Args[3])
	check(err)
	check(os.MkdirAll(directory, 0o755))
	ca, caKey := authority(directory)

	expiry := time.Now().Add(time.Duration(seconds) * time.Second)
	server := template("server", expiry, x509.ExtKeyUsageServerAuth)
	server.DNSNames = []string{"localhost"}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	issue(directory, "server", server, ca, caKey)
	issue(directory, "client", template(client, expiry, x509.ExtKeyUsageClientAuth), ca, caKey)
}

func authority(directory string) (*x509.Certificate, *ecdsa.PrivateKey) {
	certificate := readPEM(filepath.Join(directory, "ca.crt"))
	if certificate == nil {
		ca := template("grpc-etcd-dev CA", time.Now().AddDate(10, 0, 0))
		ca.IsCA = true
		ca.KeyUsage = x509.KeyUsageCertSign
		issue(directory, "ca", ca, ca, nil)
		certificate = readPEM(filepath.Join(directory, "ca.crt"))
	}
	ca, err := x509.ParseCertificate(certificate)
	check(err)
	key, err := x509.ParseECPrivateKey(readPEM(filepath.Join(directory, "ca.key")))
	check(err)
	return ca, key
}

func template(name string, expiry time.Time, usage ...x509.ExtKeyUsage) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	check(err)
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().AddDate(0, 0, -2),
		NotAfter:              expiry,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           usage,
		BasicConstraintsValid: true,
	}
}

// issue makes a key and the certificate for it; without a parent's key the certificate signs itself.
func issue(directory, name string, certificate, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	if parentKey == nil {
		parentKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, parent, &key.PublicKey, parentKey)
	check(err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	check(err)
	write(filepath.Join(directory, name+".key"), "EC PRIVATE KEY", keyDER)
	write(filepath.Join(directory, name+".crt"), "CERTIFICATE", der)
}

func write(path, kind string, der []byte) {
	check(os.WriteFile(path+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	check(os.Rename(path+".new", path))
}

func readPEM(path string) []byte {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	check(err)
	block, _ := pem.Decode(text)
	if block == nil {
		fail(fmt.Errorf("%s is not PEM", path))
	}
	return block.Bytes
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
