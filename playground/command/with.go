package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/playground/cluster"
	"github.com/dovetail-sh/dovetail/playground/example"
)

// The programs that `--with` can add.
const (
	withAWS      = "awssim"
	withDovetail = "dovetail"
	withMetrics  = "metrics-server"
	withSample   = "sample" // no program: objects, once all programs run
)

// clusterName is what the cluster is called in AWS: the tutorials' CLUSTER_NAME.
const clusterName = "dovetail"

// region is where the simulated account is.
const region = "us-east-1"

// programNames are in the order of starting.
var programNames = []string{withAWS, withDovetail, withMetrics, withSample}

// programsNamed returns the named programs, in the order of starting. Dovetail is given more flags, if there are any.
func programsNamed(names []string, more ...func(*cluster.Cluster) []string) ([]cluster.Program, error) {
	for _, name := range names {
		if !slices.Contains(programNames, name) {
			return nil, fmt.Errorf(
				"--with: there is no program %q; choose from %s",
				name,
				strings.Join(programNames, ", "),
			)
		}
	}
	var chosen []cluster.Program
	aws := slices.Contains(names, withAWS)
	if aws {
		chosen = append(chosen, cluster.Program{
			Name: withAWS, Args: awsArgs,
			Healthy: func(c *cluster.Cluster) string { return awsEndpoint(c) + awssim.AdminPath + "status" },
		})
	}
	if slices.Contains(names, withDovetail) {
		program := cluster.Program{
			Name: withDovetail,
			Args: func(ctx context.Context, c *cluster.Cluster) ([]string, error) {
				args, err := dovetailArgs(ctx, c, aws)
				for _, f := range more {
					args = append(args, f(c)...)
				}
				return args, err
			},
			Healthy: func(c *cluster.Cluster) string { return "http://" + addressOf(c, healthOfDovetail) + "/readyz" },
			Page:    func(c *cluster.Cluster) string { return "http://" + addressOf(c, webOfDovetail) + "/" },
			Pod: &cluster.PodOfProgram{
				Pod: example.Pod, Container: example.Container,
				Ports: map[int]string{8080: metricsOfDovetail, 8081: healthOfDovetail},
			},
		}
		if aws {
			program.Env = awsEnv
		}
		chosen = append(chosen, program)
	}
	if slices.Contains(names, withMetrics) {
		chosen = append(chosen, metricsServer())
	}
	if slices.Contains(names, withSample) && !(aws && slices.Contains(names, withDovetail)) {
		return nil, fmt.Errorf("--with: %s needs %s and %s", withSample, withAWS, withDovetail)
	}
	return chosen, nil
}

// addressOf is Cluster.Address of what Args has asked for before.
func addressOf(c *cluster.Cluster, name string) string {
	address, err := c.Address(name)
	if err != nil {
		return "127.0.0.1:0" // nobody answers there
	}
	return address
}

func awsEndpoint(c *cluster.Cluster) string { return "http://" + addressOf(c, withAWS) }

// awsArgs is awssim's command line. It also writes aws.env, by which a user's
// AWS tools find the simulated account.
func awsArgs(_ context.Context, c *cluster.Cluster) ([]string, error) {
	address, err := c.Address(withAWS)
	if err != nil {
		return nil, err
	}
	kubeconfig, err := c.KubeconfigOf(cluster.RegistrarUser)
	if err != nil {
		return nil, err
	}
	env := "export " + strings.Join(awsEnv(c), "\nexport ") + "\n"
	if err := os.WriteFile(awsEnvFile(c.Dir()), []byte(env), 0o600); err != nil {
		return nil, fmt.Errorf("writing aws.env: %w", err)
	}
	return []string{
		withAWS, "--listen=" + address, "--kubeconfig=" + kubeconfig, "--cluster-ca=" + c.Authority(),
		"--cluster-name=" + clusterName, "--region=" + region,
	}, nil
}

func awsEnvFile(dir string) string { return filepath.Join(dir, "aws.env") }

// awsEnv leads an AWS client to the simulated account.
func awsEnv(c *cluster.Cluster) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + awsEndpoint(c),
		"AWS_REGION=" + region,
		"AWS_DEFAULT_REGION=" + region, // the second is what version 1 of the AWS command line reads
		"AWS_ACCESS_KEY_ID=playground", // the simulator takes any
		"AWS_SECRET_ACCESS_KEY=playground",
		"AWS_EC2_METADATA_DISABLED=true",
	}
}
