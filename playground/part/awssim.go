package part

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/dovetail-sh/dovetail/awssim"
)

// simulatedAWS serves a simulated AWS whose machines join the cluster of a kubeconfig.
func simulatedAWS(args []string) int {
	flags := pflag.NewFlagSet("awssim", pflag.ContinueOnError)
	kubeconfig := flags.String(
		"kubeconfig",
		"",
		"kubeconfig with which machines join; its endpoint and CA are those that user data must name",
	)
	ca := flags.String("cluster-ca", "", "file with the API server's CA, PEM (default the kubeconfig's)")
	listen := flags.String("listen", "127.0.0.1:0", "address to serve at; loopback only")
	cluster := flags.String("cluster-name", "dovetail", "name of the EKS cluster")
	region := flags.String("region", "us-east-1", "AWS region")
	seed := flags.Uint64("seed", 1, "what everything random is drawn from")
	boot := flags.Duration("boot-delay", 5*time.Second, "from the launch of a machine until it joins")
	floor := flags.Duration(
		"answer-floor",
		5*time.Millisecond,
		"the least time that an answer takes; clients on the AWS SDK for Go need some milliseconds",
	)
	if err := flags.Parse(args); err != nil {
		fmt.Fprintf(os.Stderr, "awssim: %v\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		fmt.Fprintf(os.Stderr, "awssim: reading kubeconfig %s: %v\n", *kubeconfig, err)
		return 1
	}
	authority := config.CAData
	if *ca != "" {
		if authority, err = os.ReadFile(*ca); err != nil {
			fmt.Fprintf(os.Stderr, "awssim: reading the cluster's CA: %v\n", err)
			return 1
		}
	}
	server, err := awssim.New(awssim.Options{
		Seed: *seed, Floor: *floor, Listen: *listen, Region: *region, ClusterName: *cluster, BootDelay: *boot,
		ClusterEndpoint: config.Host, ClusterCA: authority, Kubeconfig: config, CloudNodeLifecycle: true,
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "awssim: %v\n", err)
		return 1
	}
	fmt.Printf("serving a simulated AWS at %s\n", server.URL())
	<-ctx.Done()
	if err := server.Close(); err != nil {
		fmt.Fprintf(os.Stderr, "awssim: stopping: %v\n", err)
		return 1
	}
	return 0
}
