package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// python is an interpreter and the virtual environment it lives in, if any.
type python struct {
	path       string
	virtualenv string
}

// pythonOf is the interpreter that a project asks for: its `virtualenv` option (relative to the project), the `.venv`
// of a project whose toolchain is uv, else python3 of PATH.
func pythonOf(info *pulumirpc.ProgramInfo) (python, error) {
	virtualenv := virtualenvOf(info)
	if virtualenv == "" {
		for _, name := range []string{"python3", "python"} {
			if path, err := exec.LookPath(name); err == nil {
				return python{path: path}, nil
			}
		}
		return python{}, fmt.Errorf("no python3 on PATH; install Python, or name a virtualenv in Pulumi.yaml")
	}
	for _, name := range []string{"bin/python", "bin/python3", "Scripts/python.exe"} {
		path := filepath.Join(virtualenv, filepath.FromSlash(name))
		if _, err := os.Stat(path); err == nil {
			return python{path: path, virtualenv: virtualenv}, nil
		}
	}
	return python{}, fmt.Errorf("the virtualenv %s has no Python; run the project's set-up (make setup)", virtualenv)
}

// virtualenvOf is the absolute path of the environment a project names, or "".
func virtualenvOf(info *pulumirpc.ProgramInfo) string {
	options := info.GetOptions().AsMap()
	virtualenv, _ := options["virtualenv"].(string)
	if toolchain, _ := options["toolchain"].(string); virtualenv == "" && toolchain == "uv" {
		virtualenv = ".venv"
	}
	if virtualenv == "" || filepath.IsAbs(virtualenv) {
		return virtualenv
	}
	return filepath.Join(info.GetRootDirectory(), virtualenv)
}

// command is a call of the interpreter, in this process's environment made that of the virtualenv.
func (p python) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.path, args...)
	cmd.Env = p.environment(os.Environ())
	return cmd
}

// environment is what `activate` would make of base; of a variable that base has twice, the later one counts.
func (p python) environment(base []string) []string {
	if p.virtualenv == "" {
		return append([]string{}, base...)
	}
	env := make([]string, 0, len(base)+2)
	path := ""
	for _, entry := range base {
		name, value, _ := strings.Cut(entry, "=")
		switch name {
		case "PATH":
			path = string(os.PathListSeparator) + value
		case "VIRTUAL_ENV", "PYTHONHOME":
		default:
			env = append(env, entry)
		}
	}
	return append(env, "PATH="+filepath.Dir(p.path)+path, "VIRTUAL_ENV="+p.virtualenv)
}

// installCommands are the calls that make a project's environment.
func installCommands(info *pulumirpc.ProgramInfo, directory string) ([]*exec.Cmd, error) {
	options := info.GetOptions().AsMap()
	in := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Dir = directory
		return cmd
	}
	if toolchain, _ := options["toolchain"].(string); toolchain == "uv" {
		return []*exec.Cmd{in("uv", "sync")}, nil
	}
	virtualenv := virtualenvOf(info)
	if virtualenv == "" {
		return nil, nil // python3 of PATH is the user's own
	}
	var commands []*exec.Cmd
	if _, err := os.Stat(filepath.Join(virtualenv, "pyvenv.cfg")); err != nil {
		base, err := pythonOf(nil)
		if err != nil {
			return nil, err
		}
		commands = append(commands, in(base.path, "-m", "venv", virtualenv))
	}
	requirements := filepath.Join(directory, "requirements.txt")
	if _, err := os.Stat(requirements); err == nil {
		pip := filepath.Join(virtualenv, "bin", "python")
		commands = append(commands, in(pip, "-m", "pip", "install", "-r", requirements))
	}
	return commands, nil
}

// listDependencies prints the environment's distributions as JSON; without transitive ones, those nothing requires.
const listDependencies = `
import importlib.metadata, json, re, sys
norm = lambda name: re.sub(r"[-_.]+", "-", name).lower()
found = {norm(d.metadata["Name"]): d for d in importlib.metadata.distributions() if d.metadata["Name"]}
if sys.argv[1] != "true":
    needed = {norm(re.split(r"[^A-Za-z0-9._-]", r, maxsplit=1)[0]) for d in found.values() for r in d.requires or [] if "extra ==" not in r}
    found = {name: d for name, d in found.items() if name not in needed}
print(json.dumps([{"name": d.metadata["Name"], "version": d.version} for _, d in sorted(found.items())]))
`
