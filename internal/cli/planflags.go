package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/trace"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/offline"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

// planFlags are the flags of commands that plan offline.
type planFlags struct {
	cluster      cluster // of commands that look at one
	files        []string
	trace        string
	moment       trace.Options
	region       string
	reservations string
	now          string
	types        string
	overhead     string
	requirements []string
	effort       int
	output       string
	consolidate  bool
	spotToSpot   bool
	rounds       int
	exitCode     bool
	record       string
	outputs      []string // that there are
}

func (f *planFlags) add(cmd *cobra.Command, output ...string) {
	flags := cmd.Flags()
	flags.StringSliceVarP(
		&f.files,
		"filename",
		"f",
		nil,
		"manifests: a file, a directory with all below it, or - for standard input; may be repeated",
	)
	flags.StringVar(
		&f.trace,
		"trace",
		"",
		"pods from a CSV trace, plain or gzip, or - for standard input: pod_id,submit_s,end_s,cpu_milli,memory_mib[,gpu_milli,extra]",
	)
	flags.Float64Var(&f.moment.At, "at", 0, "the `second` of the trace whose pods are planned")
	flags.IntVar(
		&f.moment.Pods,
		"pods",
		0,
		"take only the first `N` pods of the trace that are alive then; 0 for all",
	)
	flags.Float64Var(
		&f.moment.CPUMultiplier,
		"cpu-multiplier",
		1,
		"multiply the trace's CPU: 2 turns physical cores into EC2's vCPUs",
	)
	flags.StringVar(
		&f.region,
		"region",
		"",
		"AWS region whose types and prices are used (default that of each NodePool's zones, else that of the cluster)",
	)
	flags.StringVar(
		&f.reservations,
		"reservations",
		"",
		"the account's capacity reservations: a `file` of what 'aws ec2 describe-capacity-reservations' prints",
	)
	flags.StringVar(&f.now, "now", "", "the `time` at which to plan, such as 2026-11-30T08:00:00Z (default now)")
	flags.StringVar(
		&f.types,
		"instance-types",
		"",
		"JSON `file` of instance types as the kwok provider reads it, instead of a region's",
	)
	flags.StringVar(
		&f.overhead,
		"overhead",
		"",
		"what the system keeps of every machine, such as cpu=100m,memory=10Mi, instead of what its type says",
	)
	flags.StringArrayVar(
		&f.requirements,
		"requirement",
		nil,
		"narrow every NodePool: 'key In a,b', 'key NotIn a', 'key Exists', 'key Gt 4' …; may be repeated",
	)
	flags.IntVar(
		&f.effort,
		"effort",
		engine.DefaultPolicy().Effort,
		"steps spent on a cheaper plan; 0 takes the first one",
	)
	f.outputs = output
	flags.StringVarP(&f.output, "output", "o", output[0], strings.Join(output, ", "))
	complete(cmd, "output", these(output...))
	complete(cmd, "region", regions)
}

// watch adds the flags of commands that look at a cluster unless they are given files.
func (f *planFlags) watch(cmd *cobra.Command, output ...string) {
	f.add(cmd, output...)
	f.cluster.add(cmd)
}

// addRecord adds the flag of commands that also ask about plans of the past.
func (f *planFlags) addRecord(flags *pflag.FlagSet) {
	flags.StringVar(
		&f.record,
		"record",
		"",
		"a plan that the controller has made: a `file` of its journal (--journal-dir)",
	)
}

// ofTraces are flags that mean nothing without a trace.
var ofTraces = []string{"at", "pods", "cpu-multiplier"}

// check looks at flags that need nothing else.
func (f *planFlags) check(flags *pflag.FlagSet) error {
	if err := oneOf("-o", f.output, f.outputs); err != nil {
		return err
	}
	for _, name := range ofTraces {
		if f.trace == "" && flags.Changed(name) {
			return usage("--%s is about a trace; give one with --trace", name)
		}
	}
	switch {
	case f.effort < 0:
		return usage("--effort is %d; want 0 or more", f.effort)
	case f.moment.Pods < 0:
		return usage("--pods is %d; want 0 or more", f.moment.Pods)
	case !(f.moment.At >= 0):
		return usage("--at is %g; want a second of the trace, 0 or later", f.moment.At)
	case !(f.moment.CPUMultiplier > 0 && f.moment.CPUMultiplier <= 1000):
		return usage("--cpu-multiplier is %g; want more than 0 and at most 1000", f.moment.CPUMultiplier)
	}
	return nil
}

// oneOf refuses a value that is none of those that there are.
func oneOf(flag, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return usage("%s %s is unknown; want %s or %s", flag, value, strings.Join(known[:len(known)-1], ", "),
		known[len(known)-1])
}

// offline reports whether there is something to read instead of a cluster.
func (f *planFlags) offline() bool { return len(f.files) > 0 || f.trace != "" }

// read reads what the flags name.
func (f *planFlags) read(stdin io.Reader) (*manifest.Set, error) {
	set, err := manifest.Read(f.files, stdin)
	if err != nil {
		return nil, asUsage(err)
	}
	if f.trace != "" {
		pods, err := f.readTrace(stdin)
		if err != nil {
			return nil, asUsage(err)
		}
		set.Pods = append(set.Pods, pods...)
	}
	return set, nil
}

func (f *planFlags) readTrace(stdin io.Reader) ([]*corev1.Pod, error) {
	if f.trace != "-" {
		return trace.Read(f.trace, f.moment)
	}
	pods, err := trace.Parse(stdin, f.moment)
	if err != nil {
		return nil, fmt.Errorf("reading a trace from standard input: %w", err)
	}
	return pods, nil
}

// input is what the flags say beside the objects.
func (f *planFlags) input(set *manifest.Set, now time.Time) (simulate.Input, error) {
	in := simulate.Input{Set: set, Policy: engine.DefaultPolicy(), Now: now, Lenient: !f.offline()}
	in.Policy.Effort = f.effort
	for _, text := range f.requirements {
		r, err := parseRequirement(text)
		if err != nil {
			return in, asUsage(err)
		}
		in.Requirements = append(in.Requirements, r)
	}
	if f.now != "" {
		at, err := time.Parse(time.RFC3339, f.now)
		if err != nil {
			return in, usage("--now %q is no time; want one such as 2026-11-30T08:00:00Z", f.now)
		}
		in.Now = at
	}
	return in, asUsage(f.market(&in.Market, in.Now))
}

// market is what the flags say of what can be bought.
func (f *planFlags) market(m *simulate.Market, now time.Time) error {
	m.Region, m.Account.Now = f.region, now
	if f.overhead != "" {
		v, err := parseOverhead(f.overhead)
		if err != nil {
			return err
		}
		m.Overhead = &v
	}
	if f.reservations != "" {
		text, err := os.ReadFile(f.reservations)
		if err != nil {
			return fmt.Errorf("reading --reservations: %w", err)
		}
		if m.Account.Reservations, err = offline.ReadReservations(text); err != nil {
			return fmt.Errorf("--reservations %s: %w", f.reservations, err)
		}
	}
	if f.types == "" {
		return nil
	}
	switch {
	case f.region != "":
		return errors.New(
			"--region and --instance-types exclude each other: the file has zones and prices of its own",
		)
	case f.reservations != "":
		return errors.New("--reservations and --instance-types exclude each other: reservations are of AWS's types")
	}
	text, err := os.ReadFile(f.types)
	if err != nil {
		return fmt.Errorf("reading --instance-types: %w", err)
	}
	if m.Types, err = kwok.ParseTypes(text); err != nil {
		return fmt.Errorf("--instance-types %s: %w", f.types, err)
	}
	return nil
}

// parseRequirement reads 'key Operator a,b'.
func parseRequirement(text string) (karpenterv1.Requirement, error) {
	var r karpenterv1.Requirement
	words := strings.Fields(text)
	if len(words) < 2 {
		return r, fmt.Errorf(
			"--requirement %q; want 'key Operator values', such as 'karpenter.sh/capacity-type In on-demand,spot'",
			text,
		)
	}
	op, ok := shape.OperatorOf(words[1])
	if !ok {
		return r, fmt.Errorf(
			"--requirement %q: operator %q is unknown; want In, NotIn, Exists, DoesNotExist, Gt, Lt, Gte or Lte",
			text,
			words[1],
		)
	}
	r.Key, r.Operator = words[0], corev1.NodeSelectorOperator(op.String())
	for value := range strings.SplitSeq(strings.Join(words[2:], " "), ",") {
		value = strings.TrimSpace(value)
		if strings.ContainsAny(value, " ()[]") {
			return r, fmt.Errorf(
				"--requirement %q: %q is no value; want values with commas between them, without brackets",
				text,
				value,
			)
		}
		if value != "" {
			r.Values = append(r.Values, value)
		}
	}
	switch op {
	case shape.Exists, shape.DoesNotExist:
		if len(r.Values) > 0 {
			return r, fmt.Errorf("--requirement %q: %s takes no values", text, words[1])
		}
	case shape.In, shape.NotIn:
		if len(r.Values) == 0 {
			return r, fmt.Errorf("--requirement %q: %s needs values, separated by commas", text, words[1])
		}
	default:
		if len(r.Values) != 1 {
			return r, fmt.Errorf("--requirement %q: %s needs exactly one number", text, words[1])
		}
	}
	rules := karpenterv1.CoreLabelRules().Merge(awsv1.LabelRules()).Merge(kwokv1alpha1.LabelRules())
	if errs := karpenterv1.ValidateRequirement(field.NewPath("requirement"), r, rules); len(errs) > 0 {
		return r, fmt.Errorf("--requirement %q: %s", text, errs[0].ErrorBody())
	}
	return r, nil
}

// ofMachines are the resources that every machine has.
var ofMachines = []corev1.ResourceName{
	corev1.ResourceCPU,
	corev1.ResourceMemory,
	corev1.ResourceEphemeralStorage,
	corev1.ResourcePods,
}

// parseOverhead reads 'cpu=100m,memory=10Mi'.
func parseOverhead(text string) (shape.Vector, error) {
	list := corev1.ResourceList{}
	for pair := range strings.SplitSeq(text, ",") {
		name, amount, ok := strings.Cut(strings.TrimSpace(pair), "=")
		q, err := resource.ParseQuantity(amount)
		if !ok || err != nil || q.Sign() < 0 {
			return shape.Vector{}, fmt.Errorf(
				"--overhead %q: %q is no amount of a resource; want cpu=100m,memory=10Mi",
				text,
				pair,
			)
		}
		if !slices.Contains(ofMachines, corev1.ResourceName(name)) && !strings.Contains(name, "/") &&
			!strings.HasPrefix(name, corev1.ResourceHugePagesPrefix) {
			return shape.Vector{}, fmt.Errorf(
				"--overhead %q: there is no resource %q; want cpu, memory, ephemeral-storage, pods or a device such as nvidia.com/gpu",
				text,
				name,
			)
		}
		list[corev1.ResourceName(name)] = q
	}
	return provider.VectorOf(list), nil
}
