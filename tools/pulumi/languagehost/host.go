package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// bailed is the exit status of a program that has already shown its error.
const bailed = 32

// host answers the engine's calls.
type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	engine   string
	exec     string
	children *children
}

func (h *host) Handshake(
	_ context.Context, req *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.engine = req.GetEngineAddress()
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: strings.TrimPrefix(version, "v")}, nil
}

// GetRequiredPackages names none: plugins are found on PATH, see the package comment.
func (h *host) GetRequiredPackages(
	context.Context, *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (h *host) Run(ctx context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	if req.GetAttachDebugger() {
		return &pulumirpc.RunResponse{Error: "this language host cannot attach a debugger; the official one can"}, nil
	}
	py, err := pythonOf(req.GetInfo())
	if err != nil {
		return &pulumirpc.RunResponse{Error: err.Error()}, nil
	}
	args, err := h.programArguments(req)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(nonNil(req.GetConfig()))
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(append([]string{}, req.GetConfigSecretKeys()...))
	if err != nil {
		return nil, err
	}

	cmd := py.command(args...)
	cmd.Dir = req.GetPwd()
	cmd.Env = append(cmd.Env, "PULUMI_CONFIG="+string(config), "PULUMI_CONFIG_SECRET_KEYS="+string(secretKeys))
	// What the program prints goes where the engine reads it: our own output, line by line as it comes.
	out := &lineWriter{}
	cmd.Stdout, cmd.Stderr = out.to(stdout), out.to(stderr)
	err = h.children.run(ctx, cmd)
	out.flush()

	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case errors.As(err, &exit) && exit.ExitCode() == bailed:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program exited with code %d", exit.ExitCode())}, nil
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program %s did not end by itself: %v", py.path, err)}, nil
	}
}

// programArguments is the command line of pulumi-language-python-exec.
func (h *host) programArguments(req *pulumirpc.RunRequest) ([]string, error) {
	args := []string{"-u", h.exec}
	add := func(name, value string) {
		if value != "" {
			args = append(args, "--"+name, value)
		}
	}
	add("monitor", req.GetMonitorAddress())
	add("engine", h.engine)
	add("project", req.GetProject())
	add("stack", req.GetStack())
	add("pwd", req.GetPwd())
	if req.GetDryRun() {
		add("dry_run", "true")
	}
	add("parallel", strconv.Itoa(int(req.GetParallel())))
	add("organization", req.GetOrganization())
	add("root_directory", req.GetInfo().GetRootDirectory())

	program := programOf(req.GetInfo(), req.GetPwd())
	if program == "" {
		return nil, status.Error(codes.InvalidArgument, "the engine named no program to run")
	}
	return append(append(args, program), req.GetArgs()...), nil
}

// programOf is what Python is to run: the program's directory, or the file or directory in it that is its entry point.
func programOf(info *pulumirpc.ProgramInfo, otherwise string) string {
	program := info.GetProgramDirectory()
	if program == "" {
		program = otherwise
	}
	if entry := info.GetEntryPoint(); entry != "" && entry != "." {
		program = filepath.Join(program, entry)
	}
	return program
}

// RunPlugin runs a plugin written in Python, such as a provider that Pulumi.yaml names by its path, until it ends by
// itself or the engine ends the call.
func (h *host) RunPlugin(
	req *pulumirpc.RunPluginRequest, stream pulumirpc.LanguageRuntime_RunPluginServer,
) error {
	if req.GetAttachDebugger() {
		return status.Error(codes.Unimplemented, "this language host cannot attach a debugger; the official one can")
	}
	py, err := pythonOf(req.GetInfo())
	if err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	program := programOf(req.GetInfo(), req.GetProgram()) //nolint:staticcheck // older engines fill only Program
	if program == "" {
		return status.Error(codes.InvalidArgument, "the engine named no plugin to run")
	}
	cmd := py.command(append([]string{"-u", program}, req.GetArgs()...)...)
	cmd.Dir = req.GetPwd()
	// The engine's own variables first: what it sends for the plugin wins.
	cmd.Env = py.environment(append(os.Environ(), req.GetEnv()...))

	var lock sync.Mutex // a stream takes one sender at a time
	send := func(respond func([]byte) *pulumirpc.RunPluginResponse) io.Writer {
		return writerFunc(func(p []byte) (int, error) {
			lock.Lock()
			defer lock.Unlock()
			return len(p), stream.Send(respond(append([]byte{}, p...)))
		})
	}
	cmd.Stdout = send(func(p []byte) *pulumirpc.RunPluginResponse {
		return &pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: p}}
	})
	cmd.Stderr = send(func(p []byte) *pulumirpc.RunPluginResponse {
		return &pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: p}}
	})

	err = h.children.run(stream.Context(), cmd)
	if stream.Context().Err() != nil {
		return nil // the engine is done with the plugin
	}
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return stream.Send(&pulumirpc.RunPluginResponse{
		Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)},
	})
}

func (h *host) About(ctx context.Context, req *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	py, err := pythonOf(req.GetInfo())
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	out, err := h.children.output(ctx, py.command("-c", "import platform; print(platform.python_version())"))
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &pulumirpc.AboutResponse{
		Executable: py.path,
		Version:    strings.TrimSpace(string(out)),
		Metadata:   map[string]string{"host": "data-platform stand-in " + version},
	}, nil
}

func (h *host) GetProgramDependencies(
	ctx context.Context, req *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	py, err := pythonOf(req.GetInfo())
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	out, err := h.children.output(ctx, py.command("-c", listDependencies, strconv.FormatBool(req.GetTransitiveDependencies())))
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	var found []*pulumirpc.DependencyInfo
	if err := json.Unmarshal(out, &found); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &pulumirpc.GetProgramDependenciesResponse{Dependencies: found}, nil
}

// InstallDependencies makes the environment that the project names, as `pulumi install` asks for.
func (h *host) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest, stream pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	commands, err := installCommands(req.GetInfo(), req.GetDirectory())
	if err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	var lock sync.Mutex
	output := writerFunc(func(p []byte) (int, error) {
		lock.Lock()
		defer lock.Unlock()
		return len(p), stream.Send(&pulumirpc.InstallDependenciesResponse{Stdout: append([]byte{}, p...)})
	})
	for _, cmd := range commands {
		cmd.Stdout, cmd.Stderr = output, output
		if err := h.children.run(stream.Context(), cmd); err != nil {
			return status.Errorf(codes.Internal, "%s failed: %v", strings.Join(cmd.Args, " "), err)
		}
	}
	return nil
}

func (h *host) RuntimeOptionsPrompts(
	context.Context, *pulumirpc.RuntimeOptionsRequest,
) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}

// Cancel ends every program at once; the engine calls it when its user asks to stop.
func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.children.interruptAll()
	return &emptypb.Empty{}, nil
}

func nonNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
