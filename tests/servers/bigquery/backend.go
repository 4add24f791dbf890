package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// How long local-bigquery may take to answer; it is up in two seconds on an idle machine.
const patience = 25 * time.Second

// Where what it says goes, below its data: much about what it does not support, and why it did not start.
const logFile = "local-bigquery.log"

// The project it starts with; any other one is there when it is first asked for.
const project = "test"

// backend is a running local-bigquery.
type backend struct {
	url     *url.URL
	process *exec.Cmd
	ended   chan error
}

// startBackend starts local-bigquery and returns when it answers. One that was just killed may still
// hold the tables: then it is tried again.
func startBackend(folder, data, objects string) (*backend, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		b, err := startOnce(folder, data, objects)
		if err != nil {
			return nil, err
		}
		err = b.answers(ctx)
		if err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			b.stop()
			return nil, err
		}
	}
}

func startOnce(folder, data, objects string) (*backend, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	python := filepath.Join(folder, "venv", "bin", "python")
	b := &backend{ended: make(chan error, 1)}
	b.process = exec.Command(python, filepath.Join(folder, "serve.py"), "--host", "127.0.0.1", "--port", fmt.Sprint(ports[0]),
		"--grpc-port", fmt.Sprint(ports[1]), "--project", project, "--data-dir", data, "serve")
	b.process.Env = append(os.Environ(),
		"HOME="+filepath.Join(folder, "home"), // where DuckDB looks for its extensions
		"PYTHONDONTWRITEBYTECODE=1", "GCS_LOCAL_ROOT="+objects)
	if b.process.Stderr, err = os.Create(filepath.Join(data, logFile)); err != nil {
		return nil, err
	}
	b.url = &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	endWithParent(b.process)
	if err := b.process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", python, err)
	}
	go func() { b.ended <- b.process.Wait() }()
	return b, nil
}

// answers waits for the first answer.
func (b *backend) answers(ctx context.Context) error {
	datasets := b.url.JoinPath("bigquery/v2/projects", project, "datasets").String()
	for {
		request, err := http.NewRequestWithContext(ctx, "GET", datasets, nil)
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
			return fmt.Errorf("local-bigquery ended: %v; see %s below its data", err, logFile)
		case <-ctx.Done():
			return fmt.Errorf("local-bigquery did not answer within %v", patience)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (b *backend) stop() error {
	return b.process.Process.Kill()
}

// freePorts are loopback ports that nobody listened on a moment ago.
func freePorts(count int) ([]int, error) {
	var ports []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
