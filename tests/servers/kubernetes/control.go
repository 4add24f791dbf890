package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// serveControl lets a test stop, start and age the cluster, one request at a time. When it is told to
// end everything it calls end, answers, and calls ended.
func serveControl(ctx context.Context, c *cluster, listener net.Listener, end, ended func()) {
	var turn sync.Mutex
	mux := http.NewServeMux()
	handle := func(name string, command func() error) {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, _ *http.Request) {
			turn.Lock()
			defer turn.Unlock()
			if err := command(); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	handle("stop-apiserver", func() error { return c.stopAPIServer(syscall.SIGTERM) })
	handle("kill-apiserver", func() error { return c.stopAPIServer(syscall.SIGKILL) })
	handle("start-apiserver", func() error { return c.startAPIServer(ctx) })
	handle("compact", func() error { return c.etcd.compact(ctx) })
	mux.HandleFunc("POST /end", func(w http.ResponseWriter, _ *http.Request) {
		turn.Lock() // for good: nothing comes after the end
		end()
		w.WriteHeader(http.StatusOK)
		http.NewResponseController(w).Flush()
		ended()
	})
	http.Serve(listener, mux) // ends with its listener
}
