package part

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

// kubectl is the real one, for machines that have none. It takes the KUBECONFIG of the environment.
func kubectl(args []string) int {
	// Its plugins and its help go by what it is called.
	os.Args = append([]string{"kubectl"}, args...)
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		cmdutil.CheckErr(err) // ends the process with the status that kubectl has for it
	}
	return 0
}
