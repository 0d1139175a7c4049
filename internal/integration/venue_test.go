package integration

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/devplane"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

func TestMain(m *testing.M) {
	// What the simulated AWS takes from anybody. Where it is differs from cluster to cluster.
	for name, value := range map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "integration", "AWS_SECRET_ACCESS_KEY": "integration", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// venue is a cluster on one of the clouds, on which many stories are played at the same time.
type venue struct {
	*cluster
	seen client.Reader // a cache: looking often costs nothing
	market

	plane *devplane.Plane
	sim   *awssim.Server // nil on other clouds
}

// market is what differs between the clouds.
type market struct {
	settings func() config.Config
	options  func(*daemon.Options)

	// class makes a node class. Machines of a deaf one never join.
	class func(name string, deaf bool) client.Object
	// unready creates a class that its cloud cannot launch from.
	unready func(t *testing.T, name string)
	// classRef leads to it.
	classRef func(name string) *karpenterv1.NodeClassReference
	// sells narrows a pool to linux on amd64 on demand, of types that are not huge.
	sells func() []karpenterv1.Requirement
	// two has two cores and four has four: room for 1800m and 3800m of pods.
	two, four string
	// broken is a condition for which a node is replaced, and soft one for which it is rebooted.
	broken, soft corev1.NodeCondition
	// machines are the provider IDs of those that are paid for.
	machines func(t *testing.T) []string
	// kill ends a machine without a word to the cluster.
	kill func(t *testing.T, providerID string)
}

// allClouds is the environment variable that has the stories played on AWS too; `make regression` sets it. On every
// cloud at once they keep two cores busy for longer than a change should have to wait.
const allClouds = "DOVETAIL_ALL_CLOUDS"

// clouds are where every story of the regression suite is played.
func clouds() map[string]func(*testing.T) *venue {
	out := map[string]func(*testing.T) *venue{"KWOK": onKWOK}
	if os.Getenv(allClouds) != "" {
		out["AWS"] = onAWS
	}
	return out
}

// clusterName is what the cluster is called in AWS.
const clusterName = "dovetail"

func in(key string, values ...string) karpenterv1.Requirement {
	return karpenterv1.Requirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

func plainSells() []karpenterv1.Requirement {
	return []karpenterv1.Requirement{
		in(
			corev1.LabelOSStable,
			"linux",
		),
		in(corev1.LabelArchStable, "amd64"),
		in(karpenterv1.CapacityTypeLabelKey, karpenterv1.CapacityTypeOnDemand),
	}
}

func onKWOK(t *testing.T) *venue {
	v := &venue{cluster: newCluster(t)}
	v.market = market{
		settings: settings,
		options:  func(*daemon.Options) {},
		class: func(name string, deaf bool) client.Object {
			class := &kwokv1alpha1.KWOKNodeClass{}
			class.Name = name
			if deaf {
				class.Spec.NodeRegistrationDelay = durationOf(time.Hour)
			}
			return class
		},
		unready: func(t *testing.T, name string) {
			class := &kwokv1alpha1.KWOKNodeClass{}
			class.Name = name
			v.create(t, class)
			class.Status.Conditions = []metav1.Condition{
				{
					Type:               kwokv1alpha1.ConditionReady,
					Status:             metav1.ConditionFalse,
					Reason:             "Broken",
					Message:            "on purpose",
					LastTransitionTime: metav1.Now(),
				},
			}
			if err := v.Status().Update(t.Context(), class); err != nil {
				t.Fatal(err)
			}
		},
		classRef: func(name string) *karpenterv1.NodeClassReference {
			return &karpenterv1.NodeClassReference{Group: kwokv1alpha1.Group, Kind: "KWOKNodeClass", Name: name}
		},
		sells: func() []karpenterv1.Requirement {
			return append(
				plainSells(),
				karpenterv1.Requirement{
					Key:      kwokv1alpha1.InstanceSizeLabelKey,
					Operator: corev1.NodeSelectorOpLt,
					Values:   []string{"17"},
				},
			)
		},
		broken: corev1.NodeCondition{Type: kwok.ConditionUnhealthy, Status: corev1.ConditionTrue},
		soft:   corev1.NodeCondition{Type: kwok.ConditionRebootRequired, Status: corev1.ConditionTrue},
		two:    "c-2x-amd64-linux", four: "c-4x-amd64-linux",
		machines: func(t *testing.T) []string {
			var out []string
			for _, n := range v.nodes(t) {
				out = append(out, n.Spec.ProviderID)
			}
			return out
		},
		kill: func(t *testing.T, id string) {
			for _, n := range v.nodes(t) {
				if n.Spec.ProviderID == id {
					n.Finalizers = nil
					if err := v.Update(t.Context(), &n); err != nil {
						t.Fatal(err)
					}
					if err := v.Delete(t.Context(), &n); client.IgnoreNotFound(err) != nil {
						t.Fatal(err)
					}
				}
			}
		},
	}
	v.open(t)
	return v
}

func onAWS(t *testing.T) *venue {
	t.Helper()
	quietLibraries()
	plane := devplane.Start(t, devplane.Full())
	installDefinitions(t, plane.Config())
	c, err := client.New(plane.Config(), client.Options{Scheme: daemon.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	sim := simulated(t, plane)
	v := &venue{
		cluster: &cluster{Client: c, kube: plane.Config(), own: withChartsRights(t, plane, config.CloudAWS)},
		plane:   plane,
		sim:     sim,
	}
	v.noRefusals(t)
	v.market = market{
		settings: func() config.Config {
			s := settings()
			s.Cloud = config.CloudAWS
			s.AWS.ClusterName, s.AWS.InterruptionQueue = clusterName, clusterName
			return s
		},
		options: func(o *daemon.Options) { o.AWSEndpoint = sim.URL() },
		class:   func(name string, deaf bool) client.Object { return ec2Class(name, deaf) },
		unready: func(t *testing.T, name string) {
			class := ec2Class(name, false)
			class.Spec.SubnetSelectorTerms[0].Tags = map[string]string{"there": "is-none"}
			v.create(t, class)
		},
		classRef: func(name string) *karpenterv1.NodeClassReference {
			return &karpenterv1.NodeClassReference{Group: awsv1.Group, Kind: "EC2NodeClass", Name: name}
		},
		sells: func() []karpenterv1.Requirement {
			return append(
				plainSells(),
				in(awsv1.LabelInstanceCategory, "c", "m", "r"),
				in(awsv1.LabelInstanceSize, "medium", "large", "xlarge", "2xlarge", "4xlarge"),
			)
		},
		broken: corev1.NodeCondition{Type: "StorageReady", Status: corev1.ConditionFalse},
		soft: corev1.NodeCondition{
			Type:   "AcceleratedHardwareReady",
			Status: corev1.ConditionFalse,
			Reason: "NvidiaXID46Error",
		},
		two:      "m5.large",
		four:     "m5.xlarge",
		machines: func(*testing.T) []string { return paidFor(sim) },
		kill: func(t *testing.T, id string) {
			err := sim.World().Do(func(s *world.State) error {
				for _, m := range s.Instances {
					if "aws:///"+m.Pool().Zone+"/"+m.ID == id {
						s.Terminate(m, world.ReasonSpot)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		},
	}
	v.create(t, v.class("default", false))
	v.open(t)
	return v
}

// simulated is an AWS whose machines join a cluster.
func simulated(t *testing.T, plane *devplane.Plane) *awssim.Server {
	t.Helper()
	sim, err := awssim.New(awssim.Options{
		Seed:               7,
		ClusterName:        clusterName,
		ClusterEndpoint:    plane.Endpoint(),
		ClusterCA:          plane.Config().CAData,
		Kubeconfig:         plane.Config(),
		PendingDelay:       50 * time.Millisecond,
		BootDelay:          500 * time.Millisecond,
		StopDelay:          300 * time.Millisecond,
		CloudNodeLifecycle: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return sim
}

// paidFor are the provider IDs of instances that have not ended.
func paidFor(sim *awssim.Server) (out []string) {
	for _, m := range sim.Status().Instances {
		if m.State != "terminated" && m.State != "shutting-down" {
			out = append(out, "aws:///"+m.Zone+"/"+m.ID)
		}
	}
	return out
}

// ec2Class selects what a simulated account has.
func ec2Class(name string, deaf bool) *awsv1.EC2NodeClass {
	ours := map[string]string{"karpenter.sh/discovery": clusterName}
	class := &awsv1.EC2NodeClass{}
	class.Name = name
	class.Spec.Role = "KarpenterNodeRole-" + clusterName
	class.Spec.SubnetSelectorTerms = []awsv1.SubnetSelectorTerm{{Tags: ours}}
	class.Spec.SecurityGroupSelectorTerms = []awsv1.SecurityGroupSelectorTerm{{Tags: ours}}
	class.Spec.AMISelectorTerms = []awsv1.AMISelectorTerm{{Alias: "al2023@latest"}}
	if deaf {
		custom, nothing := "Custom", "#!/bin/sh\nshutdown -h now\n"
		class.Spec.AMIFamily, class.Spec.UserData = &custom, &nothing
	}
	return class
}

// open starts the cache that stories look at.
func (v *venue) open(t *testing.T) {
	t.Helper()
	seen, err := cache.New(v.kube, cache.Options{Scheme: daemon.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(
		context.WithoutCancel(t.Context()),
	) // stories look at it until they have tidied up
	var running sync.WaitGroup
	t.Cleanup(func() { stop(); running.Wait() })
	running.Go(func() {
		if err := seen.Start(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, kind := range []client.Object{&karpenterv1.NodeClaim{}, &karpenterv1.NodePool{}, &corev1.Node{}, &corev1.Pod{}, &corev1.Event{}} {
		if _, err := seen.GetInformer(ctx, kind); err != nil {
			t.Fatal(err)
		}
	}
	v.seen = seen
}

// start runs a daemon with every gate open until the test ends.
func (v *venue) start(t *testing.T, change ...func(*config.Config)) {
	t.Helper()
	s := v.settings()
	s.Gates.StaticCapacity, s.Gates.NodeRepair, s.Gates.CapacityBuffer, s.Gates.NodeOverlay = true, true, true, true
	s.Gates.TerminateFirstDrift, s.Gates.TerminateFirstRepair, s.AWS.Gates.RebootForRepair = true, true, true
	for _, f := range change {
		f(&s)
	}
	v.run(t, s, v.options)
}

func cpus(text string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(text)}
}
