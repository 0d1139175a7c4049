package cluster

import (
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/kwok/kustomize/metrics/resource"
	"sigs.k8s.io/kwok/kustomize/metrics/usage"
)

// silence is the log of every container here: who asks for logs is told why there are none.
const silence = "This container is played by kwok: nothing runs in it, so it writes nothing."

// PodOfProgram names the pod, in kube-system, whose container shows the log of a program and forwards ports to it.
type PodOfProgram struct {
	Pod, Container string
	// Ports are the pod's, each with the name under which Address knows where it leads.
	Ports map[int]string
}

// writeKwok writes kwok's configuration: how nodes and pods behave, what they use, and what kubelets answer.
func writeKwok(c *Cluster) error {
	said, err := podLogs(c)
	if err != nil {
		return err
	}
	parts := []string{kwokConfig(), usage.DefaultUsageFromAnnotation, resource.DefaultMetricsResource, said}
	if err := os.WriteFile(c.layout.file("kwok.yaml"), []byte(strings.Join(parts, "\n---\n")), 0o600); err != nil {
		return fmt.Errorf("writing kwok's configuration: %w", err)
	}
	return nil
}

// podLogs says where the logs of pods are: those of programs in their own files, all others in one that says why.
func podLogs(c *Cluster) (string, error) {
	quiet := c.layout.log("pods")
	if err := os.WriteFile(quiet, []byte("2026-01-01T00:00:00Z stdout F "+silence+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing the log of pods: %w", err)
	}
	var out strings.Builder
	fmt.Fprintf(&out, `apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata:
  name: pods
spec:
  logs:
  - logsFile: %q
    follow: false
`, quiet)
	for _, p := range c.options.Programs {
		pod := p.Pod
		if pod == nil {
			continue
		}
		fmt.Fprintf(&out, `---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Logs
metadata:
  namespace: kube-system
  name: %s
spec:
  logs:
  - containers: [%s]
    logsFile: %q
    follow: true
`, pod.Pod, pod.Container, c.layout.podLog(p.Name))
		forwards, err := forwards(c, pod)
		if err != nil {
			return "", err
		}
		out.WriteString(forwards)
	}
	return out.String(), nil
}

func forwards(c *Cluster, pod *PodOfProgram) (string, error) {
	if len(pod.Ports) == 0 {
		return "", nil
	}
	var out strings.Builder
	fmt.Fprintf(&out, `---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: PortForward
metadata:
  namespace: kube-system
  name: %s
spec:
  forwards:
`, pod.Pod)
	for port, name := range pod.Ports {
		address, err := c.Address(name)
		if err != nil {
			return "", err
		}
		host, to, _ := strings.Cut(address, ":")
		fmt.Fprintf(&out, "  - ports: [%d]\n    target: {address: %s, port: %s}\n", port, host, to)
	}
	return out.String(), nil
}
