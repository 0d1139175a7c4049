package convert

import (
	"cmp"
	"maps"
	"strings"

	"go.yaml.in/yaml/v3"
)

// aliases are families whose images an EC2NodeClass names by an alias.
var aliases = map[string]string{
	"AL2":          "al2@latest",
	"AL2023":       "al2023@latest",
	"Bottlerocket": "bottlerocket@latest",
	"Windows2019":  "windows2019@latest",
	"Windows2022":  "windows2022@latest",
}

// nodeTemplate makes an EC2NodeClass of an AWSNodeTemplate.
func nodeTemplate(f *fields) {
	out := map[string]any{"apiVersion": classes, "kind": "EC2NodeClass", "metadata": metadata(f)}
	f.dropped("apiVersion", "kind", "status")
	s := f.below("spec")
	f.finish()
	if s == nil {
		f.problem(nil, "spec", "it is missing")
		return
	}
	out["spec"] = template(s, "AWSNodeTemplate")
	s.finish()
	f.to.addClass(f, out)
}

// template takes what an AWSNodeTemplate and a Provisioner's provider say of machines.
func template(s *fields, whose string) map[string]any {
	out := map[string]any{}
	s.dropped("apiVersion", "kind") // of the settings by themselves; they never had an effect
	s.copies(out, "userData", "tags", "blockDeviceMappings", "detailedMonitoring", "context")
	if n := s.take("launchTemplate"); n != nil {
		s.problem(
			n,
			s.under("launchTemplate"),
			"launch templates of your own are no longer used: say in the EC2NodeClass what it says (userData, "+
				"blockDeviceMappings, securityGroupSelectorTerms, …)",
		)
	}
	if n := s.take("launchTemplateName"); n != nil {
		s.problem(
			n,
			s.under("launchTemplateName"),
			"launch templates of your own are no longer used: say in the EC2NodeClass what it says",
		)
	}
	images := s.images()
	family(s, out, cmp.Or(s.string("amiFamily"), "AL2"), images)
	out["subnetSelectorTerms"] = s.terms("subnetSelector")
	out["securityGroupSelectorTerms"] = s.terms("securityGroupSelector")
	hops(s, out)
	role(s, out, whose)
	return out
}

// betaClass makes an EC2NodeClass of one of v1beta1.
func betaClass(f *fields) {
	spec := map[string]any{}
	out := map[string]any{"apiVersion": classes, "kind": "EC2NodeClass", "metadata": metadata(f), "spec": spec}
	f.dropped("apiVersion", "kind", "status")
	s := f.below("spec")
	f.finish()
	if s == nil {
		f.problem(nil, "spec", "it is missing")
		return
	}
	s.copies(
		spec,
		"userData",
		"tags",
		"blockDeviceMappings",
		"instanceStorePolicy",
		"detailedMonitoring",
		"context",
		"associatePublicIPAddress",
		"subnetSelectorTerms",
		"securityGroupSelectorTerms",
		"role",
		"instanceProfile",
	)
	images, _ := s.value("amiSelectorTerms").([]any)
	family(s, spec, s.string("amiFamily"), images)
	hops(s, spec)
	s.finish()
	f.to.addClass(f, out)
}

// family says which images machines have: those that are selected, or those of a family.
func family(s *fields, out map[string]any, name string, images []any) {
	at := child(s.node, "amiFamily")
	if len(images) > 0 {
		out["amiSelectorTerms"] = images
	}
	switch {
	case name == "Ubuntu" && len(images) == 0:
		s.problem(
			at,
			s.under("amiFamily"),
			"images of Ubuntu are no longer looked up: select them with spec.amiSelectorTerms",
		)
	case name == "Ubuntu":
		out["amiFamily"] = "AL2"
		if out["blockDeviceMappings"] == nil {
			out["blockDeviceMappings"] = []any{
				map[string]any{
					"deviceName": "/dev/sda1",
					"ebs":        map[string]any{"encrypted": true, "volumeSize": "20Gi", "volumeType": "gp3"},
				},
			}
		}
		s.note("amiFamily Ubuntu is written as AL2 with Ubuntu's root volume, which is how nodes are started")
	case len(images) > 0:
		if name != "" {
			out["amiFamily"] = name
		}
	case name == "":
		s.problem(nil, s.under("amiFamily"), "it is missing, and no images are selected")
	case aliases[name] == "":
		s.problem(
			at,
			s.under("amiFamily"),
			"family %s has no images of its own: select them with spec.amiSelectorTerms",
			name,
		)
	default:
		out["amiSelectorTerms"] = []any{map[string]any{"alias": aliases[name]}}
	}
}

// hops keeps that pods reach the instance's metadata, which the old default allowed and the new one does not.
func hops(s *fields, out map[string]any) {
	options := map[string]any{}
	if m := s.below("metadataOptions"); m != nil {
		m.copies(options, "httpEndpoint", "httpProtocolIPv6", "httpPutResponseHopLimit", "httpTokens")
		m.finish()
	}
	if options["httpPutResponseHopLimit"] == nil {
		options["httpPutResponseHopLimit"] = 2
	}
	out["metadataOptions"] = options
}

// role says as whom machines run. An AWSNodeTemplate without a profile had that of the controller's settings.
func role(s *fields, out map[string]any, whose string) {
	s.copies(out, "instanceProfile")
	switch o := s.to.options; {
	case out["instanceProfile"] != nil:
	case o.Role != "":
		out["role"] = o.Role
	case o.InstanceProfile != "":
		out["instanceProfile"] = o.InstanceProfile
	default:
		s.problem(
			nil,
			s.under("instanceProfile"),
			"this %s relied on the setting aws.defaultInstanceProfile: give --instance-profile or --role",
			whose,
		)
	}
}

// terms takes a selector by tags or ids, and makes a list of terms of it.
func (f *fields) terms(name string) []any {
	n := f.below(name)
	out := []any{}
	if n == nil {
		f.problem(nil, f.under(name), "it is missing")
		return out
	}
	tags := map[string]any{}
	for key, value := range n.pairs() {
		if key == "aws-ids" || key == "aws::ids" {
			for _, id := range commas(value) {
				out = append(out, map[string]any{"id": id})
			}
			continue
		}
		tags[key] = cmp.Or(value, "*")
	}
	switch {
	case len(tags) > 0 && len(out) > 0:
		n.problem(nil, f.under(name), "it selects by ids and by tags at once, which meant both: keep one of them")
	case len(tags) > 0:
		out = append(out, map[string]any{"tags": tags})
	case len(out) == 0:
		n.problem(nil, f.under(name), "it selects nothing")
	}
	return out
}

// images takes a selector of images: by ids, by names and owners, or by tags.
func (f *fields) images() []any {
	n := f.below("amiSelector")
	if n == nil {
		return nil
	}
	var ids, names, owners []string
	tags := map[string]any{}
	for key, value := range n.pairs() {
		switch key {
		case "aws-ids", "aws::ids":
			ids = append(ids, commas(value)...)
		case "aws::name":
			names = commas(value)
		case "aws::owners":
			owners = commas(value)
		default:
			tags[key] = cmp.Or(value, "*")
		}
	}
	if len(ids) == 0 {
		return product(names, owners, tags)
	}
	if len(tags)+len(names)+len(owners) > 0 {
		n.problem(
			nil,
			f.under("amiSelector"),
			"it selects by ids and by something else at once, which meant both: keep the ids",
		)
	}
	out := []any{}
	for _, id := range ids {
		out = append(out, map[string]any{"id": id})
	}
	return out
}

// product has a term for each name with each owner, all with the same tags.
func product(names, owners []string, tags map[string]any) []any {
	out := []any{}
	for _, name := range orNone(names) {
		for _, owner := range orNone(owners) {
			term := map[string]any{"name": name, "owner": owner, "tags": tags}
			maps.DeleteFunc(term, func(key string, v any) bool { return key != "tags" && v == "" })
			if len(tags) == 0 {
				delete(term, "tags")
			}
			if len(term) > 0 {
				out = append(out, term)
			}
		}
	}
	return out
}

// pairs takes all fields of a map of text.
func (f *fields) pairs() map[string]string {
	out := map[string]string{}
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		key, value := f.node.Content[i].Value, resolve(f.node.Content[i+1])
		f.taken = append(f.taken, key)
		if value.Kind != yaml.ScalarNode {
			f.problem(value, f.under(key), "it must be text")
		}
		out[key] = text(value)
	}
	return out
}

func commas(list string) []string {
	var out []string
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out
}

// orNone has one empty element where there is none, for products of lists.
func orNone(list []string) []string {
	if len(list) == 0 {
		return []string{""}
	}
	return list
}
