package aws

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dovetail-sh/dovetail/awssim/fault"
)

// story is which calls are made in one step of the life of a node class and its node.
type story struct {
	step  string // one of steps
	words string
	calls []string
}

// matrix is every call that the provider makes, by the step in which it goes wrong.
var matrix = []story{
	{"start", "the controller starts", []string{"ec2:DescribeInstanceTypes", "eks:DescribeCluster"}},
	{
		"class",
		"an EC2NodeClass is resolved",
		[]string{
			"ec2:DescribeSubnets",
			"ec2:DescribeSecurityGroups",
			"ec2:DescribeImages",
			"ec2:DescribeCapacityReservations",
			"ec2:DescribePlacementGroups",
			"ssm:GetParameter",
			"eks:DescribeCluster",
			"iam:GetInstanceProfile",
			"iam:CreateInstanceProfile",
			"iam:AddRoleToInstanceProfile",
			"ec2:DescribeLaunchTemplates",
			"ec2:CreateLaunchTemplate",
			"ec2:CreateFleet",
			"ec2:RunInstances",
		},
	},
	{
		"work",
		"regular work",
		[]string{
			"ec2:DescribeInstanceTypes",
			"ec2:DescribeInstanceTypeOfferings",
			"ec2:DescribeSpotPriceHistory",
			"pricing:GetProducts",
			"arc-zonal-shift:GetManagedResource",
			"ec2:DescribeLaunchTemplates",
			"iam:ListInstanceProfiles",
		},
	},
	{
		"launch",
		"a claim is launched",
		[]string{"ec2:CreateFleet", "ec2:DescribeLaunchTemplates", "ec2:CreateLaunchTemplate", "ec2:DescribeSubnets"},
	},
	{"look", "machines are looked at", []string{"ec2:DescribeInstances", "ec2:DescribeInstanceStatus"}},
	{"notice", "the queue is read", []string{"sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessageBatch"}},
	{"end", "a machine is given back", []string{"ec2:DescribeInstances", "ec2:TerminateInstances"}},
	{"delete", "an EC2NodeClass is deleted", []string{
		"iam:ListInstanceProfiles", "iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile",
		"ec2:DescribeLaunchTemplates", "ec2:DeleteLaunchTemplate",
	}},
}

// callFaults are the faults of calls; the simulated AWS knows others, of machines.
var callFaults = []fault.Kind{
	fault.Throttle,
	fault.ServerError,
	fault.Timeout,
	fault.Reset,
	fault.Malformed,
	fault.AccessDenied,
	fault.NoCapacity,
	fault.Partial,
	fault.Lost,
}

// TestFaultMatrix lives a whole life for every call and every fault. Each time it must come to one machine and no more,
// leave nothing behind, and say what is wrong where a user looks. The table that it makes is docs/faults.md's. With
// -short every call fails in one way, another one for each call, and no table is made.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	table := &faultTable{cells: map[string]string{}}
	t.Run("cells", func(t *testing.T) {
		for _, s := range matrix {
			for i, call := range s.calls {
				t.Run(s.step+"/"+call, func(t *testing.T) {
					t.Parallel()
					b := newFaultBench(t)
					kinds := kindsFor(s.step, call)
					if testing.Short() {
						kinds = kinds[i%len(kinds):][:1]
					}
					for n, kind := range kinds {
						l := &life{faultBench: b, n: n, step: s.step, call: call, kind: kind}
						l.live(t)
						table.note(s.step, call, kind, cmp.Or(l.told, "absorbed"))
					}
				})
			}
		}
	})
	if t.Failed() || testing.Short() {
		return
	}
	got := table.markdown()
	if path := os.Getenv("FAULTS_TABLE"); path != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), got) {
		t.Errorf("docs/faults.md has another table than this, which make faults prints:\n%s", got)
	}
}

// kindsFor are the faults that can befall a call.
func kindsFor(step, call string) []fault.Kind {
	service, action, _ := strings.Cut(call, ":")
	return slices.DeleteFunc(slices.Clone(callFaults), func(kind fault.Kind) bool {
		// A dry run draws on no capacity and launches nothing, not even by half.
		dry := step == "class" &&
			(kind == fault.NoCapacity || kind == fault.Partial && (action == "CreateFleet" || action == "RunInstances"))
		return dry || !fault.Applies(kind, service, action)
	})
}

// faultTable collects where each fault is told. It is safe for use by many goroutines.
type faultTable struct {
	mu    sync.Mutex // guards the field below
	cells map[string]string
}

func (f *faultTable) note(step, call string, kind fault.Kind, told string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cells[step+call+string(kind)] = told
}

// markdown is a table for each step: calls down, faults across.
func (f *faultTable) markdown() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, s := range matrix {
		fmt.Fprintf(&b, "### While %s\n\n| call |", s.words)
		for _, kind := range callFaults {
			fmt.Fprintf(&b, " %s |", kind)
		}
		b.WriteString("\n|---|" + strings.Repeat("---|", len(callFaults)) + "\n")
		for _, call := range s.calls {
			fmt.Fprintf(&b, "| `%s` |", call)
			for _, kind := range callFaults {
				fmt.Fprintf(&b, " %s |", cmp.Or(f.cells[s.step+call+string(kind)], "–"))
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}
