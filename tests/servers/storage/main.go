// Command storage is a Cloud Storage for tests on one machine: fake-gcs-server on
// a free loopback port, and before it a gate that adds what Google's Rust client
// needs and that server lacks:
//
//   - the google.storage.v2 gRPC calls that StorageControl makes, answered from
//     the server's JSON API, and settings of buckets, kept in memory;
//   - generation preconditions on reads and deletes, which the server ignores;
//   - uploads of three parts, the last one a checksum, which the server would
//     store as content, and the content type of both kinds of upload;
//   - the port in the Host header, which the client leaves out and from which the
//     server builds the address of a resumable upload.
//
// All else is passed through unchanged. One loopback port serves both clients. For
// tests with a proxy before it, POST /_test/address?is=HOST:PORT says where clients
// reach it from now on: the addresses of resumable uploads then lead there.
//
// When it is ready it prints one line of JSON: {"http":"127.0.0.1:P"}. It and the
// server behind it end when its standard input does, so that neither outlives the
// test that started it. Objects are in memory, or under -data DIR.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	pb "google.golang.org/genproto/googleapis/storage/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "127.0.0.1:0", "address to serve on")
	server := flag.String("server", beside("fake-gcs-server"), "path of fake-gcs-server")
	data := flag.String("data", "", "folder that objects are kept in; in memory without it")
	flag.Parse()
	if err := run(*listen, *server, *data); err != nil {
		log.Fatal(err)
	}
}

// beside is the path of a program in this program's folder.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

func run(listen, server, data string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	backend, err := startBackend(server, data, address)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- serve(listener, backend.url) }()
	go func() {
		io.Copy(io.Discard, os.Stdin) // ends with the parent
		failed <- nil
	}()
	ready, err := json.Marshal(map[string]string{"http": address})
	if err == nil {
		fmt.Println(string(ready))
		err = <-failed
	}
	return errors.Join(err, backend.stop())
}

// serve answers gRPC itself and passes the rest to the backend.
func serve(listener net.Listener, to *url.URL) error {
	gate := &gate{api: to.JoinPath("storage/v1").String()}
	rpc := grpc.NewServer()
	pb.RegisterStorageServer(rpc, gate)
	var reached atomic.Value
	reached.Store(listener.Addr().String())
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,                                        // stream, so that a slow reader sees bytes as they come
		Transport:     &http.Transport{DisableCompression: true}, // or it would unpack stored gzip
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = reached.Load().(string)
		},
	}
	server := http.Server{Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			rpc.ServeHTTP(w, r)
			return
		}
		if r.Method == http.MethodPost && r.URL.Path == "/_test/address" {
			reached.Store(r.URL.Query().Get("is"))
			return
		}
		if err := gate.check(r); err != nil {
			code := httpOf(status.Code(err))
			http.Error(w, fmt.Sprintf(`{"error":{"code":%d,"message":%q}}`, code, err), code)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	return server.Serve(listener)
}

type gate struct {
	pb.UnimplementedStorageServer
	api     string // fake-gcs-server's JSON API, up to "storage/v1"
	buckets buckets
}
