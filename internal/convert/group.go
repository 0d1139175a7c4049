package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	k8syaml "sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/catalog"
)

// Group is a group of nodes that Cluster Autoscaler scales, as far as a NodePool can be made of it.
type Group struct {
	Name, Cluster, Region string
	Types                 []string // instance types, ascending
	Capacity              []string // spot, on-demand
	Zones                 []string
	Min, Max, Desired     int
	Labels                map[string]string
	Taints                []Taint
	Family                string // al2, al2023, bottlerocket, windows2022 …; empty for what is not known
	Role                  string // its name
	Subnets               []string
	DiskGiB               int
	Tags                  map[string]string

	in    *document
	notes []string // what is not taken over
}

// Taint is one of a group's nodes.
type Taint struct{ Key, Value, Effect string }

// Pool is the name of the NodePool that is made of it.
func (g *Group) Pool() string {
	return strings.ToLower(strings.Trim(strings.ReplaceAll(g.Name, "_", "-"), "-"))
}

// PerHour is what the group's desired nodes cost an hour in dollars by the built-in catalogue, at its first type; false
// if it does not know that.
func (g *Group) PerHour() (dollars float64, known bool) {
	if len(g.Types) == 0 {
		return 0, false
	}
	price, known := catalog.OnDemand(g.Region, g.Types[0])
	if slices.Equal(g.Capacity, []string{"spot"}) {
		var spot catalog.Price
		spot, known = catalog.Spot(g.Region, g.Types[0])
		price = spot.Avg
	}
	return float64(g.Desired) * float64(price) / 1e6, known
}

// Groups makes a NodePool and an EC2NodeClass of each group of nodes. read finds them in a file. The error joins a
// Problem for each thing that stands in the way, and then there is no Result.
func Groups(sources []Source, read func(Source) ([]Group, error), o Options) (*Result, []Group, error) {
	c := &conversion{options: o, classes: map[string]map[string]any{}}
	out := &Result{}
	var all []Group
	seen := map[string]string{} // by name: the file
	for _, s := range sources {
		groups, err := read(s)
		if err != nil {
			return nil, nil, err
		}
		if len(groups) == 0 {
			return nil, nil, Problem{File: s.Name, Text: "there is no group of nodes in it"}
		}
		var texts []string
		for i := range groups {
			made, err := c.written(&groups[i], s.Name, seen)
			if err != nil {
				return nil, nil, err
			}
			texts = append(texts, made...)
			for _, note := range groups[i].notes {
				said := Problem{File: s.Name, Object: "group " + groups[i].Name, Text: note}
				out.Notes = append(out.Notes, said.Error())
			}
		}
		out.Files = append(out.Files, File{Name: s.Name, Text: join(texts), Changed: true})
		all = append(all, groups...)
	}
	if len(c.problems) > 0 {
		return nil, nil, c.trouble()
	}
	return out, all, nil
}

// written is a group as documents.
func (c *conversion) written(g *Group, file string, seen map[string]string) (texts []string, err error) {
	g.in = &document{file: file}
	if other := seen[g.Name]; other != "" {
		c.refuse(g, "", "a group of that name is in "+other+" too: rename one of them")
		return nil, nil
	}
	seen[g.Name] = file
	for _, object := range c.group(g) {
		c.judge(g.in, object)
		text, err := k8syaml.Marshal(object)
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", g.Name, err)
		}
		texts = append(texts, string(text))
	}
	slices.Sort(g.notes)
	return texts, nil
}

func (c *conversion) refuse(g *Group, field, text string) {
	c.problems = append(c.problems, Problem{File: g.in.file, Object: "group " + g.Name, Field: field, Text: text})
}

// group is a NodePool and its class.
func (c *conversion) group(g *Group) []map[string]any {
	name := g.Pool()
	spec := map[string]any{
		"nodeClassRef": map[string]any{"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": name},
		"requirements": c.requirements(g),
	}
	if taints := taints(g); len(taints) > 0 {
		spec["taints"] = taints
	}
	template := map[string]any{"spec": spec}
	if len(g.Labels) > 0 {
		template["metadata"] = map[string]any{"labels": g.Labels}
	}
	pool := map[string]any{"template": template}
	if limit := c.limit(g); limit > 0 {
		pool["limits"] = map[string]any{"cpu": fmt.Sprint(limit)}
	}
	if g.Min > 0 {
		g.notes = append(g.notes,
			fmt.Sprintf("its minimum of %d nodes is not kept: a NodePool has as many nodes as pods need", g.Min))
	}
	return []map[string]any{
		{"apiVersion": pools, "kind": "NodePool", "metadata": map[string]any{"name": name}, "spec": pool},
		{"apiVersion": classes, "kind": "EC2NodeClass", "metadata": map[string]any{"name": name}, "spec": c.class(g)},
	}
}

func (c *conversion) requirements(g *Group) []any {
	var out []any
	add := func(key string, values []string) {
		if len(values) > 0 {
			out = append(out, map[string]any{"key": key, "operator": "In", "values": values})
		}
	}
	if len(g.Types) == 0 {
		c.refuse(g, "", "it names no instance types; take them from its launch template, or write the NodePool by hand")
	}
	for _, t := range g.Types {
		if _, ok := catalog.Lookup(t); !ok {
			c.refuse(g, "", "instance type "+t+" is not in the catalogue")
		}
	}
	add("karpenter.sh/capacity-type", g.Capacity)
	add("node.kubernetes.io/instance-type", g.Types)
	add("topology.kubernetes.io/zone", g.Zones)
	return out
}

func taints(g *Group) (out []any) {
	for _, t := range g.Taints {
		one := map[string]any{"key": t.Key, "effect": t.Effect}
		if t.Value != "" {
			one["value"] = t.Value
		}
		out = append(out, one)
	}
	return out
}

// limit is the cores that the group may have at most: as many as its most nodes of its largest type.
func (c *conversion) limit(g *Group) int {
	most := 0
	for _, t := range g.Types {
		if known, ok := catalog.Lookup(t); ok {
			most = max(most, known.VCPU)
		}
	}
	return g.Max * most
}

func (c *conversion) class(g *Group) map[string]any {
	out := map[string]any{}
	if g.Family == "" && c.options.Alias == "" {
		c.refuse(g, "",
			"nobody says which image family its nodes have; give it with --ami-alias, such as al2023@latest")
	}
	out["amiSelectorTerms"] = []any{map[string]any{"alias": cmp.Or(c.options.Alias, g.Family+"@latest")}}
	switch role := cmp.Or(g.Role, c.options.Role); {
	case role != "":
		out["role"] = role
	case c.options.InstanceProfile != "":
		out["instanceProfile"] = c.options.InstanceProfile
	default:
		c.refuse(g, "",
			"nobody says which IAM role its nodes have; give it with --role, or a profile with --instance-profile")
	}
	var subnets []any
	for _, id := range g.Subnets {
		subnets = append(subnets, map[string]any{"id": id})
	}
	switch {
	case len(subnets) > 0:
	case g.Cluster == "":
		c.refuse(g, "", "it names neither subnets nor a cluster; write the EC2NodeClass by hand")
	default:
		tag := "alpha.eksctl.io/cluster-name"
		subnets = []any{map[string]any{"tags": map[string]any{tag: g.Cluster}}}
		g.notes = append(g.notes,
			"subnets are those with the tag "+tag+": "+g.Cluster+"; narrow them if nodes belong into some of them only")
	}
	out["subnetSelectorTerms"] = subnets
	if g.Cluster == "" {
		c.refuse(g, "",
			"nobody says which cluster it is of, whose security group its nodes need; "+
				"tag it, or write the EC2NodeClass by hand")
	}
	out["securityGroupSelectorTerms"] = []any{map[string]any{"tags": map[string]any{"aws:eks:cluster-name": g.Cluster}}}
	if g.DiskGiB > 0 {
		device := "/dev/xvda"
		if strings.HasPrefix(g.Family, "bottlerocket") {
			device = "/dev/xvdb"
		}
		out["blockDeviceMappings"] = []any{map[string]any{"deviceName": device, "ebs": map[string]any{
			"volumeSize": fmt.Sprintf("%dGi", g.DiskGiB), "volumeType": "gp3", "encrypted": true}}}
	}
	if len(g.Tags) > 0 {
		out["tags"] = g.Tags
	}
	return out
}

// zonesRegion is the region of zones; empty for none.
func zonesRegion(zones []string) string {
	for _, r := range catalog.Regions() {
		for _, z := range zones {
			if rest, ok := strings.CutPrefix(z, r.Name); ok && len(rest) == 1 {
				return r.Name
			}
		}
	}
	return ""
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}
