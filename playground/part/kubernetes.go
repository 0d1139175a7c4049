package part

import (
	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // lets --logging-format=json work
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics, as in the released binaries
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func kubeAPIServer(args []string) int {
	return runCommand(apiserver.NewAPIServerCommand(), args)
}

func kubeScheduler(args []string) int {
	return runCommand(scheduler.NewSchedulerCommand(), args)
}

func kubeControllerManager(args []string) int {
	return runCommand(controllermanager.NewControllerManagerCommand(), args)
}

// runCommand does what the released binaries' main does, with args in place of os.Args.
func runCommand(cmd *cobra.Command, args []string) int {
	cmd.SetArgs(args)
	return cli.Run(cmd)
}
