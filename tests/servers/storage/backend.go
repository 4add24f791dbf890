package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"time"
)

// How long fake-gcs-server may take to answer; it is up in a tenth of a second.
const patience = 10 * time.Second

// backend is a running fake-gcs-server.
type backend struct {
	url     *url.URL
	process *exec.Cmd
	ended   chan error
}

// startBackend starts fake-gcs-server behind the gate's address, and returns when it answers.
func startBackend(program, data, gate string) (*backend, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	store := []string{"-backend", "memory"}
	if data != "" {
		store = []string{"-backend", "filesystem", "-filesystem-root", data}
	}
	arguments := append([]string{
		"-scheme", "http", "-host", "127.0.0.1", "-port", fmt.Sprint(port),
		"-external-url", "http://" + gate, "-log-level", "warn",
		"-data", os.DevNull + "/none", // or it would seed itself from /data
	}, store...)
	b := &backend{process: exec.Command(program, arguments...), ended: make(chan error, 1)}
	b.url = &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}
	b.process.Stdout, b.process.Stderr = os.Stderr, os.Stderr
	endWithParent(b.process)
	if err := b.process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() { b.ended <- b.process.Wait() }()
	if err := b.answers(); err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

// answers waits for the first answer.
func (b *backend) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, "GET", b.url.JoinPath("_internal/healthcheck").String(), nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-b.ended:
			return fmt.Errorf("fake-gcs-server ended: %v", err)
		case <-ctx.Done():
			return fmt.Errorf("fake-gcs-server did not answer within %v", patience)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (b *backend) stop() error {
	return b.process.Process.Kill()
}

// freePort is a loopback port that nobody listened on a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
