// Command pulumi-language-python is a small language host: it lets the Pulumi engine run Python programs and Python
// plugins on machines that cannot download the official CLI.
//
// It is a stand-in. The official host of the same name comes with the official CLI and is not published as a Go
// module, so a machine that builds the engine from source has none. Where an official CLI is found, its own host runs
// and this one is never used. It serves the LanguageRuntime protocol of the Pulumi SDK module beside which it is
// pinned. Left out on purpose: code generation, packing, debugger attachment, and naming the plugins a program needs
// (a machine that cannot download the CLI cannot download plugins; they are found on PATH).
//
// The engine starts it with the address of its own gRPC server and reads the port from the first line of output.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// version is the SDK's, set by the linker (-X main.version=v3.259.0).
var version = "v0.0.0"

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-python:", err)
		os.Exit(1)
	}
}

func serve() error {
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	exec := filepath.Join(filepath.Dir(executable), "pulumi-language-python-exec")
	if _, err := os.Stat(exec); err != nil {
		return fmt.Errorf("its helper script is missing: %w", err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	engine := engineAddress(os.Args[1:])
	if engine != "" {
		if err := rpcutil.Healthcheck(ctx, engine, time.Second, stop); err != nil {
			return fmt.Errorf("the engine at %s cannot be reached: %w", engine, err)
		}
		// A killed engine answers no health check either, but its child learns of it sooner by changing parents.
		go endWithParent(ctx, stop)
	}

	children := newChildren()
	h := &host{engine: engine, exec: exec, children: children}
	cancel := make(chan bool)
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, h)
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(handle.Port)

	select {
	case <-ctx.Done():
		// The engine is done with us (it says so with SIGINT) or gone: no program may outlive it.
		children.killAll()
		return nil
	case err := <-handle.Done:
		children.killAll()
		return err
	}
}

// engineAddress is the first argument that is not an option.
func engineAddress(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") && strings.Contains(arg, ":") {
			return arg
		}
	}
	return ""
}

// endWithParent calls stop when the process that started this one is gone.
func endWithParent(ctx context.Context, stop context.CancelFunc) {
	parent := os.Getppid()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if os.Getppid() != parent {
				stop()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
