package deploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// call is one request to AWS.
type call struct {
	name string // as IAM names it: "ec2:CreateFleet"
	form url.Values
	body map[string]any // of those in JSON
}

// recorder passes calls on to AWS and remembers them.
type recorder struct {
	mu    sync.Mutex // guards the field below
	calls []call
}

// Do sends the request.
func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	var text []byte
	if req.Body != nil {
		var err error
		if text, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(strings.NewReader(string(text)))
	}
	_, scope, _ := strings.Cut(req.Header.Get("Authorization"), "Credential=")
	c := call{}
	c.form, _ = url.ParseQuery(string(text)) // empty for JSON
	_ = json.Unmarshal(text, &c.body)        // nil for forms
	action := c.form.Get("Action")
	if _, target, ok := strings.Cut(req.Header.Get("X-Amz-Target"), "."); ok {
		action = target
	}
	if action == "" {
		action = map[bool]string{true: "DescribeCluster",
			false: "GetManagedResource"}[strings.HasPrefix(req.URL.Path, "/clusters/")]
	}
	c.name = strings.Split(scope, "/")[3] + ":" + action
	r.mu.Lock()
	r.calls = append(r.calls, c)
	r.mu.Unlock()
	return http.DefaultClient.Do(req)
}

// account works out what permissions the calls of one account take. IAM decides by the tags that a call gives to what
// it makes, and by those that what it uses was given before.
type account struct {
	templates map[string]template          // by name
	profiles  map[string]map[string]string // tags by name
	paths     map[string]string            // of profiles, by name
	instances map[string]string            // tags of all instances, which are the same but for the claim
}

// template is the tags of a launch template, and of what is made from it by kind of resource.
type template struct {
	own, makes map[string]map[string]string
}

func arn(kind string) string {
	account := names["account"]
	if kind == "image" || kind == "snapshot" {
		account = ""
	}
	return fmt.Sprintf("arn:aws:ec2:us-east-1:%s:%s/x", account, kind)
}

// tagsIn reads TagSpecification.N.Tag.M under a prefix, by kind of resource.
func tagsIn(form url.Values, prefix string) map[string]map[string]string {
	out := map[string]map[string]string{}
	for i := 1; form.Has(fmt.Sprintf("%sTagSpecification.%d.ResourceType", prefix, i)); i++ {
		at := fmt.Sprintf("%sTagSpecification.%d.", prefix, i)
		tags := map[string]string{}
		for k := 1; form.Has(fmt.Sprintf("%sTag.%d.Key", at, k)); k++ {
			tags[form.Get(fmt.Sprintf("%sTag.%d.Key", at, k))] = form.Get(fmt.Sprintf("%sTag.%d.Value", at, k))
		}
		out[form.Get(at+"ResourceType")] = tags
	}
	return out
}

// context puts tags under the keys that conditions use.
func context(kind string, tags map[string]string, more ...string) map[string]string {
	out := map[string]string{"aws:RequestedRegion": names["region"]}
	for key, value := range tags {
		out[kind+key] = value
	}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

const (
	requestTag  = "aws:RequestTag/"
	resourceTag = "aws:ResourceTag/"
)

// needs are the permissions that a call takes.
func (a *account) needs(c call) []need {
	service, action, _ := strings.Cut(c.name, ":")
	switch {
	case action == "CreateLaunchTemplate":
		t := template{own: tagsIn(c.form, ""), makes: tagsIn(c.form, "LaunchTemplateData.")}
		a.templates[c.form.Get("LaunchTemplateName")] = t
		return a.making(c.name, t.own)
	case action == "CreateFleet":
		return a.launching(
			c,
			c.form.Get("LaunchTemplateConfigs.1.LaunchTemplateSpecification.LaunchTemplateName"),
			"fleet",
		)
	case action == "RunInstances":
		return a.launching(c, c.form.Get("LaunchTemplate.LaunchTemplateName"))
	case action == "TerminateInstances", action == "RebootInstances":
		return []need{{c.name, arn("instance"), context(resourceTag, a.instances)}}
	case action == "DeleteLaunchTemplate":
		return []need{
			{
				c.name,
				arn("launch-template"),
				context(resourceTag, a.templates[c.form.Get("LaunchTemplateName")].own["launch-template"]),
			},
		}
	case service == "iam":
		return a.onProfile(c)
	case service == "ssm":
		return []need{{c.name, fmt.Sprintf("arn:aws:ssm:us-east-1::parameter%v", c.body["Name"]), nil}}
	case service == "sqs":
		// sqs:DeleteMessage is the permission for batches too.
		return []need{{strings.TrimSuffix(c.name, "Batch"), "arn:aws:sqs:us-east-1:111122223333:demo", nil}}
	case service == "eks":
		return []need{{c.name, "arn:aws:eks:us-east-1:111122223333:cluster/demo", nil}}
	case service == "arc-zonal-shift":
		return []need{
			{
				c.name,
				"x",
				map[string]string{
					"arc-zonal-shift:ResourceIdentifier": "arn:aws:eks:us-east-1:111122223333:cluster/demo",
				},
			},
		}
	}
	return []need{{c.name, "x", context("", nil)}}
}

// making are the permissions to make tagged resources: the call's own for each, and that to tag.
func (a *account) making(action string, made map[string]map[string]string) []need {
	var out []need
	for _, kind := range slices.Sorted(maps.Keys(made)) {
		out = append(
			out,
			need{action, arn(kind), context(requestTag, made[kind])},
			need{
				"ec2:CreateTags",
				arn(kind),
				context(requestTag, made[kind], "ec2:CreateAction", strings.TrimPrefix(action, "ec2:")),
			},
		)
	}
	return out
}

// launching are the permissions of a call that starts instances from a template. A fleet starts them with the caller's
// permission to run instances.
func (a *account) launching(c call, name string, more ...string) []need {
	t, made := a.templates[name], tagsIn(c.form, "")
	maps.Copy(made, t.makes)
	var out []need
	actions := []string{c.name}
	if c.name == "ec2:CreateFleet" {
		actions = append(actions, "ec2:RunInstances")
		if c.form.Get("DryRun") == "" {
			a.instances = made["instance"]
		}
	}
	for _, action := range actions {
		kinds := append([]string{"instance", "volume", "network-interface"}, more...)
		if c.form.Get("TargetCapacitySpecification.DefaultTargetCapacityType") == "spot" {
			kinds = append(kinds, "spot-instances-request")
		}
		of := map[string]map[string]string{}
		for _, kind := range kinds {
			of[kind] = made[kind] // nil if the call gives it no tags: then nothing allows it
		}
		out = append(out, a.making(action, of)...)
		for _, kind := range []string{"image", "snapshot", "subnet", "security-group", "capacity-reservation",
			"placement-group"} {
			out = append(out, need{action, arn(kind), nil})
		}
		out = append(out, need{action, arn("launch-template"), context(resourceTag, t.own["launch-template"])})
	}
	role := "arn:aws:iam::111122223333:role/KarpenterNodeRole-demo"
	return append(out, need{"iam:PassRole", role, map[string]string{"iam:PassedToService": "ec2.amazonaws.com"}})
}

func (a *account) onProfile(c call) []need {
	name := c.form.Get("InstanceProfileName")
	at := func() string { return "arn:aws:iam::111122223333:instance-profile" + a.paths[name] + name }
	switch c.name {
	case "iam:ListInstanceProfiles":
		return []need{{c.name, "x", nil}}
	case "iam:GetInstanceProfile":
		return []need{{c.name, "arn:aws:iam::111122223333:instance-profile/" + name, nil}}
	case "iam:CreateInstanceProfile":
		tags := map[string]string{}
		for i := 1; c.form.Has(fmt.Sprintf("Tags.member.%d.Key", i)); i++ {
			tags[c.form.Get(fmt.Sprintf("Tags.member.%d.Key", i))] = c.form.Get(
				fmt.Sprintf("Tags.member.%d.Value", i),
			)
		}
		a.profiles[name], a.paths[name] = tags, c.form.Get("Path")
		return []need{
			{c.name, at(), context(requestTag, tags)},
			{"iam:TagInstanceProfile", at(), context(requestTag, tags)},
		}
	}
	out := []need{{c.name, at(), context(resourceTag, a.profiles[name])}}
	if c.name == "iam:AddRoleToInstanceProfile" {
		out = append(
			out,
			need{
				"iam:PassRole",
				"arn:aws:iam::111122223333:role/" + c.form.Get("RoleName"),
				map[string]string{"iam:PassedToService": "ec2.amazonaws.com"},
			},
		)
	}
	return out
}

func TestThePoliciesAllowWhatTheProviderDoesAndNothingElse(t *testing.T) {
	t.Parallel()
	all := policies(t)
	a := &account{
		templates: map[string]template{},
		profiles:  map[string]map[string]string{},
		paths:     map[string]string{},
	}
	used := map[string]bool{}
	for _, c := range liveOnce(t) {
		for _, n := range a.needs(c) {
			if _, ok := allows(all, n); !ok {
				t.Errorf("%s takes %s, which no statement allows", c.name, n)
			}
			used[n.action] = true
		}
	}
	for name, d := range all {
		for _, s := range d.Statement {
			for _, action := range s.Action {
				if !used[action] {
					t.Errorf("%s: %s allows %s, which the provider never does", name, s.Sid, action)
				}
			}
		}
	}
}

// What others made, in the same account, is out of reach.
func TestThePoliciesDoNotReachWhatIsOthers(t *testing.T) {
	t.Parallel()
	all := policies(t)
	others := map[string]string{
		"kubernetes.io/cluster/other":    "owned",
		"karpenter.sh/nodepool":          "x",
		"karpenter.k8s.aws/ec2nodeclass": "x",
	}
	for _, n := range []need{
		{"ec2:TerminateInstances", arn("instance"), context(resourceTag, others)},
		{"ec2:TerminateInstances", arn("instance"), context("", nil)},
		{"ec2:RebootInstances", arn("instance"), context(resourceTag, others)},
		{"ec2:RebootInstances", arn("instance"), context("", nil)},
		{"ec2:DeleteLaunchTemplate", arn("launch-template"), context(resourceTag, others)},
		{"ec2:RunInstances", arn("instance"), context("", nil)},
		{"ec2:CreateTags", arn("instance"), context(requestTag,
			map[string]string{"kubernetes.io/cluster/demo": "owned", "eks:eks-cluster-name": "demo",
				"karpenter.sh/nodepool": "x"})},
		{"iam:DeleteInstanceProfile", "arn:aws:iam::111122223333:instance-profile/others",
			context(resourceTag, others)},
		{"iam:TagInstanceProfile", "arn:aws:iam::111122223333:instance-profile/others",
			context(requestTag, map[string]string{"kubernetes.io/cluster/demo": "owned"})},
		{"iam:PassRole", "arn:aws:iam::111122223333:role/admin",
			map[string]string{"iam:PassedToService": "ec2.amazonaws.com"}},
		{"sqs:ReceiveMessage", "arn:aws:sqs:us-east-1:111122223333:other", nil},
		{"ssm:GetParameter", "arn:aws:ssm:us-east-1:111122223333:parameter/secret", nil},
		{"ec2:DescribeInstances", "x", map[string]string{"aws:RequestedRegion": "eu-west-1"}},
	} {
		if sid, ok := allows(all, n); ok {
			t.Errorf("%s allows %s", sid, n)
		}
	}
}
