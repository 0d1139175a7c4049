package convert

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// user is a pool or claim whose settings of the kubelet belong to its class now.
type user struct {
	f        *fields
	name     string         // of the object
	node     map[string]any // the part that names the class
	settings map[string]any // of the kubelet; nil for none
	at       *yaml.Node
}

var ofKubelet = []string{
	"clusterDNS",
	"maxPods",
	"podsPerCore",
	"systemReserved",
	"kubeReserved",
	"evictionHard",
	"evictionSoft",
	"evictionSoftGracePeriod",
	"evictionMaxPodGracePeriod",
	"imageGCHighThresholdPercent",
	"imageGCLowThresholdPercent",
	"cpuCFSQuota",
}

// kubelet takes the settings.
func (u *user) kubelet(f *fields, name string) {
	k := f.below(name)
	if k == nil {
		return
	}
	u.settings, u.at = map[string]any{}, k.node
	k.copies(u.settings, ofKubelet...)
	if runtime := k.string("containerRuntime"); runtime != "" && runtime != "containerd" {
		k.problem(nil, k.under("containerRuntime"), "nodes have containerd alone; remove %s", runtime)
	}
	k.finish()
	if len(u.settings) == 0 {
		u.settings = nil
	}
}

// moveKubelets writes settings into classes. Users of one class that differ get a class each: the first keeps its name.
func (c *conversion) moveKubelets() {
	byClass := map[string][]*user{}
	for _, u := range c.users {
		if ref, ok := u.node["nodeClassRef"].(map[string]any); ok {
			name, _ := ref["name"].(string)
			byClass[name] = append(byClass[name], u)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byClass)) {
		users := byClass[name]
		if slices.ContainsFunc(users, func(u *user) bool { return u.settings != nil }) {
			c.moveKubelet(name, users)
		}
	}
}

func (c *conversion) moveKubelet(name string, users []*user) {
	class := c.classes[name]
	if class == nil {
		for _, u := range users {
			if u.settings != nil {
				u.f.problem(
					u.at,
					"kubelet",
					"the kubelet's settings belong to EC2NodeClass %s now, which is not among the files: give it, too",
					name,
				)
			}
		}
		return
	}
	given := map[string]string{} // class by settings
	for _, u := range users {
		text, err := json.Marshal(u.settings)
		if err != nil {
			u.f.problem(u.at, "kubelet", "%v", err)
			continue
		}
		to, ok := given[string(text)]
		if !ok {
			to = name
			if len(given) > 0 {
				to = name + "-" + u.name
				c.split(u, class, name, to)
			}
			given[string(text)] = to
			if spec, ok := c.classes[to]["spec"].(map[string]any); ok && u.settings != nil {
				spec["kubelet"] = u.settings
			}
		}
		if ref, ok := u.node["nodeClassRef"].(map[string]any); ok {
			ref["name"] = to
		}
	}
}

// split makes another class for a user.
func (c *conversion) split(u *user, class map[string]any, name, to string) {
	if c.classes[to] != nil {
		u.f.problem(
			u.at,
			"kubelet",
			"it differs from that of another user of EC2NodeClass %s and needs a class of its own, but EC2NodeClass "+
				"%s is there already: rename that",
			name,
			to,
		)
		return
	}
	spec, ok := class["spec"].(map[string]any)
	if !ok {
		return
	}
	own := maps.Clone(spec)
	delete(own, "kubelet")
	made := map[string]any{
		"apiVersion": classes,
		"kind":       "EC2NodeClass",
		"metadata":   map[string]any{"name": to},
		"spec":       own,
	}
	c.classes[to] = made
	c.made = append(c.made, made)
	u.f.note(
		"the kubelet's settings differ from those of others that use EC2NodeClass %s: EC2NodeClass %s is made for "+
			"them. Nodes of it are replaced, as drifted",
		name,
		to,
	)
}

func (c *conversion) add(f *fields, object map[string]any) *user {
	name := text(child(child(f.node, "metadata"), "name"))
	u := &user{f: f, name: name, node: map[string]any{}}
	c.users = append(c.users, u)
	c.made = append(c.made, object)
	return u
}

func (c *conversion) addClass(f *fields, object map[string]any) {
	meta, _ := object["metadata"].(map[string]any)
	name := fmt.Sprint(meta["name"])
	if c.classes[name] != nil {
		f.problem(nil, "metadata.name", "there are two EC2NodeClasses %s now; rename one", name)
		return
	}
	c.classes[name] = object
	c.made = append(c.made, object)
}
