package boot

import (
	"fmt"
	"io"
	"strings"

	"github.com/kballard/go-shellquote"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// readBootstrap finds the call of EKS's bootstrap.sh in the shell parts.
func readBootstrap(parts []part) (*Kubelet, error) {
	for _, p := range parts {
		if p.kind != "text/x-shellscript" {
			continue
		}
		words, err := commandWords(p.body, "/etc/eks/bootstrap.sh")
		if err != nil {
			return nil, err
		}
		if words != nil {
			return bootstrap(words)
		}
	}
	return nil, fmt.Errorf("no part of the user data calls /etc/eks/bootstrap.sh")
}

// bootstrap reads bootstrap.sh's own arguments.
func bootstrap(words []string) (*Kubelet, error) {
	k := &Kubelet{}
	limitPods := true
	var extra []string
	for i := 0; i < len(words); i++ {
		name, value, joined := strings.Cut(words[i], "=")
		if !strings.HasPrefix(name, "--") {
			if k.Cluster != "" {
				return nil, fmt.Errorf("bootstrap.sh takes one cluster name, got %q and %q", k.Cluster, words[i])
			}
			k.Cluster = words[i]
			continue
		}
		if !joined {
			i++
			if i == len(words) {
				return nil, fmt.Errorf("bootstrap.sh: %s needs a value", name)
			}
			value = words[i]
		}
		switch name {
		case "--apiserver-endpoint":
			k.Endpoint = value
		case "--b64-cluster-ca":
			k.CA = value
		case "--use-max-pods":
			limitPods = value == "true"
		case "--kubelet-extra-args":
			words, err := shellquote.Split(value)
			if err != nil {
				return nil, fmt.Errorf("bootstrap.sh: --kubelet-extra-args %s: %w", value, err)
			}
			extra = words
		case "--local-disks":
			k.LocalDisks = value == "raid0"
		case "--dns-cluster-ip", "--ip-family", "--container-runtime", "--service-ipv4-cidr", "--service-ipv6-cidr",
			"--pause-container-account", "--pause-container-version", "--cluster-id", "--enable-local-outpost",
			"--aws-api-retry-attempts", "--containerd-config-file", "--docker-config-json", "--enable-docker-bridge",
			"--mount-bpf-fs":
		default:
			return nil, fmt.Errorf("bootstrap.sh does not know the argument %s", name)
		}
	}
	if !limitPods {
		k.MaxPods = 110 // the kubelet's own default
	}
	return k, k.flags(extra)
}

// commandWords returns the arguments of the first call of a command in a
// script; nil when it is not called. Words are what bash makes of them, with
// the script's own assignments expanded; what other commands would print is
// empty, and every branch counts as taken.
func commandWords(script, command string) ([]string, error) {
	run := scriptRun{vars: map[string]string{}, command: command}
	parser := syntax.NewParser(syntax.Variant(syntax.LangBash))
	err := parser.Stmts(strings.NewReader(strings.ReplaceAll(script, "\r", "")), func(stmt *syntax.Stmt) bool {
		syntax.Walk(stmt, run.visit)
		return run.found == nil && run.err == nil
	})
	if run.found != nil || run.err != nil {
		return run.found, run.err
	}
	if err != nil {
		return nil, fmt.Errorf("the script in the user data: %w", err)
	}
	return nil, nil
}

// scriptRun reads a script for the call of one command.
type scriptRun struct {
	vars    map[string]string
	command string
	found   []string // the call's arguments; nil until it is seen
	err     error    // what kept its words from being read
}

func (r *scriptRun) visit(node syntax.Node) bool {
	if r.found != nil || r.err != nil {
		return false
	}
	switch node := node.(type) {
	case *syntax.DeclClause: // export NAME=value
		r.assign(node.Args)
	case *syntax.CallExpr:
		if len(node.Args) == 0 {
			r.assign(node.Assigns)
			return true
		}
		r.call(node.Args)
	}
	return true
}

// config expands variables of the script, and nothing else.
func (r *scriptRun) config() *expand.Config {
	return &expand.Config{
		Env:      expand.FuncEnviron(func(name string) string { return r.vars[name] }),
		CmdSubst: func(io.Writer, *syntax.CmdSubst) error { return nil },
	}
}

func (r *scriptRun) assign(all []*syntax.Assign) {
	for _, one := range all {
		if one.Name == nil || one.Value == nil {
			continue
		}
		value, err := expand.Literal(r.config(), one.Value)
		if err == nil { // a value that can not be read is as one that a command prints
			r.vars[one.Name.Value] = value
		}
	}
}

// call notes the arguments of the command, also behind sudo, bash and their flags.
func (r *scriptRun) call(args []*syntax.Word) {
	words, err := expand.Fields(r.config(), args...)
	for i, word := range words {
		if word == r.command {
			r.found = words[i+1:]
			if r.found == nil {
				r.found = []string{}
			}
			return
		}
		if word != "sudo" && !strings.HasSuffix(word, "bash") && !strings.HasPrefix(word, "-") {
			return // another command's argument, not a call
		}
	}
	if err != nil {
		r.err = fmt.Errorf("reading a command of the script in the user data: %w", err)
	}
}

// readPowershell finds the call of Start-EKSBootstrap.ps1.
func readPowershell(script string) (*Kubelet, error) {
	for _, line := range strings.Split(strings.ReplaceAll(script, "\r", ""), "\n") {
		if !strings.Contains(line, "-EKSClusterName") {
			continue
		}
		words, err := shellquote.Split(line)
		if err != nil {
			return nil, fmt.Errorf("the call of Start-EKSBootstrap.ps1: %w", err)
		}
		return powershellArguments(words)
	}
	return nil, fmt.Errorf("the user data does not call Start-EKSBootstrap.ps1 with -EKSClusterName")
}

// powershellArguments reads the arguments of Start-EKSBootstrap.ps1.
func powershellArguments(words []string) (*Kubelet, error) {
	k := &Kubelet{}
	for i := 0; i+1 < len(words); i++ {
		value := words[i+1]
		switch words[i] {
		case "-EKSClusterName":
			k.Cluster = value
		case "-APIServerEndpoint":
			k.Endpoint = value
		case "-Base64ClusterCA":
			k.CA = value
		case "-KubeletExtraArgs":
			flags, err := shellquote.Split(value)
			if err != nil {
				return nil, fmt.Errorf("-KubeletExtraArgs %s: %w", value, err)
			}
			if err := k.flags(flags); err != nil {
				return nil, err
			}
		}
	}
	return k, nil
}
