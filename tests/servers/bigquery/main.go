// Command bigquery is a BigQuery for tests on one machine: local-bigquery (Python, DuckDB) on a free
// loopback port, and before it a gate that makes a job's id taken once and for all. That server looks
// the id up and records it in two steps, so that of two inserts of one id at the same moment both may
// run. Here they take turns, id by id, and so do statements that create tables, for the same reason. And
// where that server gives up a transaction because of another one, the gate says so in BigQuery's words.
// All else is passed through unchanged.
//
// When it is ready it prints one line of JSON: {"http":"127.0.0.1:P"}. It and the server behind it end
// when its standard input does, so that neither outlives the test that started it. Tables are kept
// under -data DIR, or in a folder that is removed at the end. Objects of gs://BUCKET/NAME are read from
// the file BUCKET/NAME below -objects DIR: the folder that the storage server was given as its -data.
package main

import (
	"bytes"
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
	"regexp"
	"strings"
	"sync"
)

// The id a caller chose for its job.
var jobID = regexp.MustCompile(`"jobId"\s*:\s*"([^"]+)"`)

// How local-bigquery reports a transaction that lost against another one, and how BigQuery does.
var (
	conflict   = []byte("Failed to commit: Failed to commit DuckLake transaction.")
	concurrent = []byte("Transaction is aborted due to concurrent update")
)

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "127.0.0.1:0", "address to serve on")
	server := flag.String("server", besides(), "folder of the virtual environment and its home")
	data := flag.String("data", "", "folder that tables are kept in; a temporary one without it")
	objects := flag.String("objects", "", "folder that gs:// is read from")
	flag.Parse()
	if err := run(*listen, *server, *data, *objects); err != nil {
		log.Fatal(err)
	}
}

// besides is this program's folder.
func besides() string {
	self, err := os.Executable()
	if err != nil {
		return "."
	}
	return filepath.Dir(self)
}

func run(listen, server, data, objects string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	if data == "" {
		if data, err = os.MkdirTemp("", "podledger-bigquery-"); err != nil {
			return err
		}
		defer os.RemoveAll(data)
	}
	backend, err := startBackend(server, data, objects)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- http.Serve(listener, gate(backend.url)) }()
	go func() {
		io.Copy(io.Discard, os.Stdin) // ends with the parent
		failed <- nil
	}()
	ready, err := json.Marshal(map[string]string{"http": listener.Addr().String()})
	if err == nil {
		fmt.Println(string(ready))
		err = <-failed
	}
	return errors.Join(err, backend.stop())
}

// gate passes requests on; inserts of one job id take turns, and so do creations of tables.
func gate(to *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: inWordsOfBigQuery,
	}
	var turns sync.Map // job id, or creating -> *sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			if what := turnOf(r.URL.Path, body); what != "" {
				turn, _ := turns.LoadOrStore(what, new(sync.Mutex))
				turn.(*sync.Mutex).Lock()
				defer turn.(*sync.Mutex).Unlock()
			}
		}
		proxy.ServeHTTP(w, r)
	})
}

// turnOf is what a request takes turns for; nothing where it need not.
func turnOf(path string, body []byte) string {
	if id := jobID.FindSubmatch(body); id != nil && strings.HasSuffix(path, "/jobs") {
		return "job " + string(id[1])
	}
	if strings.HasSuffix(path, "/queries") && bytes.Contains(body, []byte("CREATE TABLE")) {
		return "creating"
	}
	return ""
}

// inWordsOfBigQuery replaces what local-bigquery says of conflicts, in answers to calls and about jobs.
func inWordsOfBigQuery(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if err := r.Body.Close(); err != nil {
		return err
	}
	body = bytes.ReplaceAll(body, conflict, concurrent)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return nil
}
