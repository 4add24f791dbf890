package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// serveControl lets a test stop, start and age the cluster, one request at a time.
func serveControl(ctx context.Context, c *cluster, listener net.Listener, end func()) {
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
	handle("end", sync.OnceValue(func() error { end(); return nil }))
	http.Serve(listener, mux) // ends with its listener
}
