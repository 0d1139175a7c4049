package userdata

import (
	"fmt"
	"strings"
)

// al2 runs the user's parts, then the bootstrap script of the EKS image.
func al2(o Options) (string, error) {
	var parts []part
	switch {
	case strings.TrimSpace(o.User) == "":
	case isMultipart(o.User):
		own, err := split(o.User)
		if err != nil {
			return "", err
		}
		parts = own
	default:
		parts = []part{newPart(shellType, o.User)}
	}
	return join(append(parts, newPart(shellType, bootstrapScript(o))))
}

func bootstrapScript(o Options) string {
	args := []string{
		"/etc/eks/bootstrap.sh " + quote(o.ClusterName),
		"--apiserver-endpoint " + quote(o.Endpoint),
	}
	if o.CABundle != "" {
		args = append(args, "--b64-cluster-ca "+quote(o.CABundle))
	}
	if o.ipv6() {
		args = append(args, "--ip-family ipv6")
	}
	if dns := o.dns(); len(dns) > 0 {
		args = append(args, "--dns-cluster-ip "+quote(dns[0]))
	}
	args = append(args, "--use-max-pods false", "--kubelet-extra-args "+quote(strings.Join(o.kubeletArgs(), " ")))
	if o.RAID0 {
		args = append(args, "--local-disks raid0")
	}
	return "#!/bin/bash -xe\n" +
		"exec > >(tee /var/log/user-data.log | logger -t user-data -s 2>/dev/console) 2>&1\n" +
		strings.Join(args, " \\\n") + "\n"
}

// quote makes one word of text for bash.
func quote(text string) string {
	return fmt.Sprintf("'%s'", strings.ReplaceAll(text, "'", `'\''`))
}
