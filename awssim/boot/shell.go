package boot

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// readBootstrap finds the call of EKS's bootstrap.sh in the shell parts.
func readBootstrap(parts []part) (*Kubelet, error) {
	for _, p := range parts {
		if p.kind != "text/x-shellscript" {
			continue
		}
		words := commandWords(p.body, "/etc/eks/bootstrap.sh")
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
			extra = shellWords(value, nil)
		case "--local-disks":
			k.LocalDisks = value == "raid0"
		case "--dns-cluster-ip", "--ip-family", "--container-runtime", "--service-ipv4-cidr", "--service-ipv6-cidr",
			"--pause-container-account", "--pause-container-version", "--cluster-id", "--enable-local-outpost",
			"--aws-api-retry-attempts", "--containerd-config-file", "--docker-config-json", "--enable-docker-bridge", "--mount-bpf-fs":
		default:
			return nil, fmt.Errorf("bootstrap.sh does not know the argument %s", name)
		}
	}
	if !limitPods {
		k.MaxPods = 110 // the kubelet's own default
	}
	return k, k.flags(extra)
}

var assignment = regexp.MustCompile(`^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)

// commandWords returns the arguments of the first call of a command in a
// script, with the script's own plain assignments expanded; nil when it is not
// called. Quotes, comments and continued lines are understood, control flow
// is not.
func commandWords(script, command string) []string {
	script = strings.ReplaceAll(strings.ReplaceAll(script, "\r", ""), "\\\n", " ")
	vars := map[string]string{}
	for _, line := range logicalLines(script) {
		if m := assignment.FindStringSubmatch(line); m != nil {
			vars[m[1]] = strings.Join(shellWords(m[2], vars), " ")
			continue
		}
		words := shellWords(line, vars)
		for i, w := range words {
			if w == command {
				return words[i+1:]
			}
			if !strings.HasPrefix(w, "sudo") && !strings.HasSuffix(w, "bash") && !strings.HasPrefix(w, "-") {
				break // another command's argument, not a call
			}
		}
	}
	return nil
}

// logicalLines splits a script at newlines that no quote holds.
func logicalLines(script string) []string {
	var lines []string
	var line strings.Builder
	var quote rune
	for _, r := range script {
		switch {
		case quote == 0 && r == '\n':
			lines = append(lines, strings.TrimSpace(line.String()))
			line.Reset()
			continue
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case r == quote:
			quote = 0
		}
		line.WriteRune(r)
	}
	return append(lines, strings.TrimSpace(line.String()))
}

// shellWords splits a line into words as a shell does: quotes group, a
// backslash takes away a meaning, # begins a comment, $NAME is looked up.
func shellWords(line string, vars map[string]string) []string {
	var words []string
	var word strings.Builder
	inWord, escaped := false, false
	var quote rune
	expand := func(s string) string { return os.Expand(s, func(name string) string { return vars[name] }) }
	var raw strings.Builder // text that may hold variables
	flush := func() {
		word.WriteString(expand(raw.String()))
		raw.Reset()
	}
	for _, r := range line {
		switch {
		case escaped:
			flush()
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote == '\'' && r != '\'':
			word.WriteRune(r)
		case quote != 0 && r == quote:
			flush()
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			flush()
			quote, inWord = r, true
		case quote == 0 && r == '#' && !inWord:
			return words
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n' || r == ';'):
			if inWord {
				flush()
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			raw.WriteRune(r)
			inWord = true
		}
	}
	if inWord {
		flush()
		words = append(words, word.String())
	}
	return words
}

// readPowershell finds the call of Start-EKSBootstrap.ps1.
func readPowershell(script string) (*Kubelet, error) {
	for _, line := range strings.Split(strings.ReplaceAll(script, "\r", ""), "\n") {
		if !strings.Contains(line, "-EKSClusterName") {
			continue
		}
		k := &Kubelet{}
		words := shellWords(strings.ReplaceAll(line, "$", ""), nil)
		for i := 0; i+1 < len(words); i++ {
			switch words[i] {
			case "-EKSClusterName":
				k.Cluster = words[i+1]
			case "-APIServerEndpoint":
				k.Endpoint = words[i+1]
			case "-Base64ClusterCA":
				k.CA = words[i+1]
			case "-KubeletExtraArgs":
				if err := k.flags(shellWords(words[i+1], nil)); err != nil {
					return nil, err
				}
			}
		}
		return k, nil
	}
	return nil, fmt.Errorf("the user data does not call Start-EKSBootstrap.ps1 with -EKSClusterName")
}
