package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

var stdout, stderr io.Writer = os.Stdout, os.Stderr

// patience is how long a program may take to end after it was asked to.
const patience = 5 * time.Second

// children are the programs that run now, so that none outlives the engine.
type children struct {
	lock    sync.Mutex
	running map[*exec.Cmd]struct{}
	closed  bool
}

func newChildren() *children {
	return &children{running: map[*exec.Cmd]struct{}{}}
}

// run runs cmd in a process group of its own (a Ctrl-C at the terminal is the engine's to handle) until it ends, or
// until ctx is done: then the group is interrupted, and killed when it does not end soon.
func (c *children) run(ctx context.Context, cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A grandchild that keeps the output open must not keep us here for ever.
	cmd.WaitDelay = patience
	c.lock.Lock()
	if c.closed {
		c.lock.Unlock()
		return context.Canceled
	}
	err := cmd.Start()
	if err == nil {
		c.running[cmd] = struct{}{}
	}
	c.lock.Unlock()
	if err != nil {
		return err
	}

	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		signalGroup(cmd, syscall.SIGINT)
		select {
		case <-ended:
		case <-time.After(patience):
			signalGroup(cmd, syscall.SIGKILL)
		}
	}()
	err = cmd.Wait()
	close(ended)
	c.lock.Lock()
	delete(c.running, cmd)
	c.lock.Unlock()
	return err
}

// output is run for a short command whose standard output is wanted.
func (c *children) output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var buffer bytes.Buffer
	cmd.Stdout, cmd.Stderr = &buffer, stderr
	err := c.run(ctx, cmd)
	return buffer.Bytes(), err
}

func (c *children) interruptAll() {
	c.each(syscall.SIGINT, false)
}

// killAll ends every program and refuses new ones.
func (c *children) killAll() {
	c.each(syscall.SIGKILL, true)
}

func (c *children) each(signal syscall.Signal, last bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.closed = c.closed || last
	for cmd := range c.running {
		signalGroup(cmd, signal)
	}
}

func signalGroup(cmd *exec.Cmd, signal syscall.Signal) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, signal)
	}
}

// writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// lineWriter passes whole lines on, so that two streams do not tear each other's.
type lineWriter struct {
	lock  sync.Mutex
	parts []*linePart
}

type linePart struct {
	owner  *lineWriter
	sink   io.Writer
	buffer []byte
}

func (w *lineWriter) to(sink io.Writer) io.Writer {
	part := &linePart{owner: w, sink: sink}
	w.parts = append(w.parts, part)
	return part
}

func (p *linePart) Write(data []byte) (int, error) {
	p.owner.lock.Lock()
	defer p.owner.lock.Unlock()
	p.buffer = append(p.buffer, data...)
	if end := bytes.LastIndexByte(p.buffer, '\n'); end >= 0 {
		if _, err := p.sink.Write(p.buffer[:end+1]); err != nil {
			return 0, err
		}
		p.buffer = append([]byte{}, p.buffer[end+1:]...)
	}
	return len(data), nil
}

func (w *lineWriter) flush() {
	w.lock.Lock()
	defer w.lock.Unlock()
	for _, part := range w.parts {
		if len(part.buffer) > 0 {
			_, _ = part.sink.Write(append(part.buffer, '\n'))
			part.buffer = nil
		}
	}
}
