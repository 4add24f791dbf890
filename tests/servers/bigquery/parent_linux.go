package main

import (
	"os/exec"
	"runtime"
	"syscall"
)

// endWithParent has the kernel kill the process when this one is killed. It counts the thread as
// the parent: the caller, main's goroutine, keeps its thread.
func endWithParent(process *exec.Cmd) {
	runtime.LockOSThread()
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
