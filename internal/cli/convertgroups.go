package cli

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/convert"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// groupFlags are those of convert about groups of nodes.
type groupFlags struct {
	asg, eksctl []string
	against     []string
}

func (f *groupFlags) add(cmd *cobra.Command, o *convert.Options) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.asg, "from-asg", nil,
		"`files` of groups, as JSON of aws autoscaling describe-auto-scaling-groups or aws eks describe-nodegroup")
	flags.StringSliceVar(&f.eksctl, "from-eksctl", nil, "`files` with a ClusterConfig of eksctl")
	flags.StringSliceVar(&f.against, "against", nil,
		"the cluster as `files`, such as kubectl prints nodes, pods and daemonsets")
	flags.StringVar(&o.Alias, "ami-alias", "",
		"`alias` of the images of groups, such as al2023@v20261101 (default the latest of their family)")
}

func (f *groupFlags) given() bool { return len(f.asg)+len(f.eksctl) > 0 }

// run prints what is made of groups, and says what they cost.
func (f *groupFlags) run(cmd *cobra.Command, o convert.Options) error {
	paths, read := f.asg, convert.AWSGroups
	if len(f.eksctl) > 0 {
		paths, read = f.eksctl, convert.EksctlGroups
	}
	sources, err := manifest.Sources(paths, cmd.InOrStdin())
	if err != nil {
		return asUsage(err)
	}
	result, groups, err := convert.Groups(sources, read, o)
	if err != nil {
		return usage("nothing is written, because of\n%w", err)
	}
	said := groupLines(groups)
	if len(f.against) > 0 {
		line, err := f.cost(result, groups)
		if err != nil {
			return asUsage(err)
		}
		said = append(said, line)
	}
	if err := printFiles(cmd.OutOrStdout(), result.Files); err != nil {
		return err
	}
	return writeText(cmd.ErrOrStderr(), func(w io.Writer) error {
		for _, line := range append(result.Notes, said...) {
			fmt.Fprintln(w, line)
		}
		return nil
	})
}

// groupLines say what groups cost as they are now.
func groupLines(groups []convert.Group) (out []string) {
	var sum view.PerHour
	unknown := 0
	for i := range groups {
		g := &groups[i]
		price, known := g.PerHour()
		if !known {
			unknown++
			out = append(out, fmt.Sprintf("group %s: %d nodes, price unknown", g.Name, g.Desired))
			continue
		}
		dollars := view.PerHour(shape.Dollars(price))
		sum += dollars
		out = append(out, fmt.Sprintf("group %s: %d nodes of %s, %s/h", g.Name, g.Desired, g.Types[0],
			dollars.Dollars()))
	}
	total := fmt.Sprintf("together %s/h, %s a month, by the built-in catalogue", sum.Dollars(), sum.Month())
	if unknown > 0 {
		total = fmt.Sprintf("together ≥ %s/h; of %d groups nobody knows the price", sum.Dollars(), unknown)
	}
	return append(out, total)
}

// cost says what the pods of a cluster cost on the nodes that groups have, and what they would cost on NodePools.
func (f *groupFlags) cost(made *convert.Result, groups []convert.Group) (string, error) {
	var text bytes.Buffer
	if err := printFiles(&text, made.Files); err != nil {
		return "", err
	}
	set, err := manifest.ReadOver(&text, "the NodePools made here", f.against, nil)
	if err != nil {
		return "", err
	}
	now, nodes := givenTo(set, groups)
	in := simulate.Input{Set: set, Policy: engine.DefaultPolicy(), Now: time.Now(), Lenient: true}
	for i := range groups {
		if in.Market.Region == "" {
			in.Market.Region = groups[i].Region
		}
	}
	ready, err := simulate.Prepare(in)
	if err != nil {
		return "", err
	}
	plan, err := ready.Anew().Plan()
	if err != nil {
		return "", err
	}
	then := view.PerHour(plan.Decision.Price)
	line := fmt.Sprintf("the pods of %d nodes of groups that cost %s/h would go onto %d nodes for %s/h", nodes,
		now.Dollars(),
		len(plan.Decision.Open), then.Dollars())
	if now > 0 {
		line += fmt.Sprintf(", %+.1f %%", 100*(float64(then)/float64(now)-1))
	}
	if n := len(plan.Decision.Unplaced); n > 0 {
		line += fmt.Sprintf("; %d pods would have no place", n)
	}
	return line, nil
}

// groupLabels are by which nodes say of which group they are.
var groupLabels = []string{"eks.amazonaws.com/nodegroup", "alpha.eksctl.io/nodegroup-name"}

// givenTo has nodes of groups count as nodes of the NodePools that are made of them, and adds up what they cost.
func givenTo(set *manifest.Set, groups []convert.Group) (now view.PerHour, nodes int) {
	ours := map[string]string{}
	for i := range groups {
		ours[groups[i].Name] = groups[i].Pool()
	}
	for _, n := range set.Nodes {
		for _, label := range groupLabels {
			pool := ours[n.Labels[label]]
			if pool == "" {
				continue
			}
			nodes++
			n.Labels[karpenterv1.NodePoolLabelKey] = pool
			price, _ := roster.Catalogue(n.Labels[corev1.LabelTopologyRegion], n.Labels[corev1.LabelTopologyZone],
				n.Labels[corev1.LabelInstanceTypeStable], capacityOf(n))
			now += view.PerHour(price)
			break
		}
	}
	return now, nodes
}

func capacityOf(n *corev1.Node) string {
	if n.Labels["eks.amazonaws.com/capacityType"] == "SPOT" {
		return karpenterv1.CapacityTypeSpot
	}
	return karpenterv1.CapacityTypeOnDemand
}
