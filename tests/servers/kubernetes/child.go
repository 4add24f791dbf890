package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"
)

// How long a component may take to shut down before it is killed.
const shutdownPatience = 10 * time.Second

// How much of a log an error shows.
const shownBytes = 2000

// lifelineFD is the descriptor in a component that is at its end when the supervisor is gone,
// however that ended.
const lifelineFD = 3

// child is one component in a process of its own: components have flags, feature gates and signal
// handlers for the whole process, and a test can kill one alone.
type child struct {
	name     string
	args     []string
	log      string // path of its output
	cmd      *exec.Cmd
	expected atomic.Bool // set before it is stopped on purpose
	done     chan struct{}
}

// endWithSupervisor ends this process when the supervisor's end of the lifeline closes.
func endWithSupervisor() {
	lifeline := os.NewFile(lifelineFD, "lifeline")
	go func() {
		io.Copy(io.Discard, lifeline)
		os.Exit(1)
	}()
}

// spawn starts this program as one of its components.
func (c *cluster) spawn(name string, args []string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ch := &child{name: name, args: args, log: c.file(name + ".log"), done: make(chan struct{})}
	output, err := os.OpenFile(ch.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	ch.cmd = exec.Command(self, append([]string{name}, args...)...)
	ch.cmd.Stdout, ch.cmd.Stderr = output, output
	ch.cmd.ExtraFiles = []*os.File{c.lifeline}               // becomes lifelineFD
	ch.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ^C reaches the supervisor only
	if err := ch.cmd.Start(); err != nil {
		return nil, err
	}
	c.children = append(c.children, ch)
	go func() {
		ch.cmd.Wait() // however it ended: the log says why
		close(ch.done)
		if !ch.expected.Load() {
			c.exited <- ch
		}
	}()
	return ch, nil
}

// lastWords is the end of what it printed; the log itself goes with the state directory.
func (ch *child) lastWords() string {
	text, err := os.ReadFile(ch.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-shownBytes):])
}

// end stops a child; one that does not obey in time is killed.
func (ch *child) end(sig syscall.Signal) error {
	ch.expected.Store(true)
	if err := ch.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-ch.done:
		return nil
	case <-time.After(shutdownPatience):
		err := ch.cmd.Process.Kill()
		<-ch.done
		return err
	}
}
