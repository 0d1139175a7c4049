package cfnapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/eventsapi"
	"github.com/dovetail-sh/dovetail/awssim/fisapi"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/sqsapi"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// thing is a resource that a stack has made.
type thing struct {
	logical, kind string
	physical      string // what the stack calls it
	ref           any    // what Ref gives
	attributes    map[string]any
	digest        string // of its properties, to see changes
	at            time.Time
}

// maker makes and removes things of all kinds for one stack.
type maker struct {
	world       *world.World
	queues      *sqsapi.Account
	rules       *eventsapi.Account
	experiments *fisapi.Account
	stack       string
	host        string // at which the client called, for URLs
}

// props are a resource's properties with all functions carried out.
type props map[string]any

func (p props) text(name string) string {
	if v, has := p[name]; has {
		return fmt.Sprint(v)
	}
	return ""
}

func (p props) texts(name string) []string {
	list, _ := p[name].([]any)
	var out []string
	for _, item := range list {
		out = append(out, fmt.Sprint(item))
	}
	return out
}

// document is a policy: an object, or its JSON as text.
func (p props) document(name string) string {
	if text, ok := p[name].(string); ok {
		return text
	}
	body, err := json.Marshal(p[name])
	if err != nil {
		return ""
	}
	return string(body)
}

func (p props) tags() []launchspec.Tag {
	list, _ := p["Tags"].([]any)
	var out []launchspec.Tag
	for _, item := range list {
		one, _ := item.(map[string]any)
		out = append(out, launchspec.Tag{Key: fmt.Sprint(one["Key"]), Value: fmt.Sprint(one["Value"])})
	}
	return out
}

// kind makes or changes a thing, and removes it. physical is empty for a new
// one.
type kind struct {
	put    func(m *maker, t *thing, p props) error
	remove func(m *maker, t *thing) error
}

// kinds are the types of resources that are simulated.
var kinds = map[string]kind{
	"AWS::IAM::Role":                   {(*maker).putRole, (*maker).removeRole},
	"AWS::IAM::ManagedPolicy":          {(*maker).putPolicy, (*maker).removePolicy},
	"AWS::IAM::Policy":                 {(*maker).putInline, (*maker).removeInline},
	"AWS::IAM::InstanceProfile":        {(*maker).putProfile, (*maker).removeProfile},
	"AWS::IAM::OIDCProvider":           {(*maker).putProvider, (*maker).removeProvider},
	"AWS::IAM::ServiceLinkedRole":      {(*maker).putServiceRole, (*maker).removeRole},
	"AWS::SQS::Queue":                  {(*maker).putQueue, (*maker).removeQueue},
	"AWS::SQS::QueuePolicy":            {(*maker).putQueuePolicy, nil},
	"AWS::Events::Rule":                {(*maker).putRule, (*maker).removeRule},
	"AWS::EKS::AccessEntry":            {(*maker).putEntry, (*maker).removeEntry},
	"AWS::EKS::PodIdentityAssociation": {(*maker).putAssociation, (*maker).removeAssociation},
	"AWS::EKS::Addon":                  {(*maker).putAddon, (*maker).removeAddon},
	"AWS::FIS::ExperimentTemplate":     {(*maker).putExperiment, (*maker).removeExperiment},
	"AWS::SSM::Parameter":              {(*maker).putParameter, (*maker).removeParameter},
}

// name is what a resource is called: its own name, what it was called before, or one made up.
func (m *maker) name(t *thing, own string) string {
	switch {
	case own != "":
		return own
	case t.physical != "":
		return t.physical
	}
	var suffix string
	_ = m.world.Do(func(s *world.State) error {
		suffix = strings.ToUpper(strings.ReplaceAll(s.UUID(), "-", ""))[:12]
		return nil
	})
	return m.stack + "-" + t.logical + "-" + suffix
}

func (m *maker) putQueue(t *thing, p props) error {
	name := p.text("QueueName")
	if name == "" && t.physical != "" {
		name = t.physical[strings.LastIndex(t.physical, "/")+1:]
	}
	name = m.name(&thing{logical: t.logical}, name)
	url := m.queues.URL(m.host, name)
	if _, there := m.queues.Queue(name); there && t.physical != url && !m.queues.Adopt(name) {
		return exists(t, name)
	}
	retention := 4 * 24 * time.Hour
	var seconds int
	if _, err := fmt.Sscan(p.text("MessageRetentionPeriod"), &seconds); err == nil {
		retention = time.Duration(seconds) * time.Second
	}
	m.queues.Create(name, retention)
	t.physical, t.ref = url, url
	t.attributes = map[string]any{"Arn": m.queues.ARN(name), "QueueName": name, "QueueUrl": url}
	return nil
}

func (m *maker) removeQueue(t *thing) error {
	m.queues.Delete(t.physical[strings.LastIndex(t.physical, "/")+1:])
	return nil
}

func (m *maker) putQueuePolicy(t *thing, p props) error {
	t.physical = m.name(t, "")
	t.ref, t.attributes = t.physical, map[string]any{"Id": t.physical}
	for _, url := range p.texts("Queues") {
		if !m.queues.SetPolicy(url, p.document("PolicyDocument")) {
			return invalid("The queue %s does not exist.", url)
		}
	}
	return nil
}

func (m *maker) putRule(t *thing, p props) error {
	if p.text("ScheduleExpression") != "" {
		return invalid("Rules on a schedule are not simulated.")
	}
	name := m.name(t, p.text("Name"))
	arn, err := m.rules.Put(name, p.document("EventPattern"), p.text("State"), p.text("Description"))
	if err != nil {
		return err
	}
	t.physical, t.ref, t.attributes = name, name, map[string]any{"Arn": arn}
	list, _ := p["Targets"].([]any)
	var targets []eventsapi.Target
	for _, item := range list {
		one, _ := item.(map[string]any)
		targets = append(targets, eventsapi.Target{ID: props(one).text("Id"), Arn: props(one).text("Arn")})
	}
	return m.rules.SetTargets(name, targets)
}

func (m *maker) removeRule(t *thing) error {
	m.rules.Delete(t.physical)
	return nil
}

func (m *maker) putEntry(t *thing, p props) error {
	return m.onCluster(p, func(s *world.State) error {
		principal := p.text("PrincipalArn")
		if old := s.AccessEntries[principal]; old != nil {
			if !old.Built && t.physical == "" {
				return exists(t, principal)
			}
			delete(s.AccessEntries, principal)
		}
		e, err := s.AddAccessEntry(world.AccessEntry{
			Principal: principal, Kind: p.text("Type"), User: p.text("Username"), Groups: p.texts("KubernetesGroups"),
		})
		if err != nil {
			return err
		}
		t.physical = e.Principal + "|" + s.Cluster.Name
		t.ref, t.attributes = t.physical, map[string]any{
			"AccessEntryArn": s.ARN("eks", "access-entry/"+s.Cluster.Name+"/"+e.Principal),
		}
		return nil
	})
}

func (m *maker) removeEntry(t *thing) error {
	return m.world.Do(func(s *world.State) error {
		principal, _, _ := strings.Cut(t.physical, "|")
		delete(s.AccessEntries, principal)
		return nil
	})
}

// onCluster runs act if a resource names the account's cluster.
func (m *maker) onCluster(p props, act func(*world.State) error) error {
	return m.world.Do(func(s *world.State) error {
		if name := p.text("ClusterName"); name != s.Cluster.Name {
			return world.NotFound("No cluster found for name: %s.", name)
		}
		return act(s)
	})
}

func (m *maker) putAssociation(t *thing, p props) error {
	return m.onCluster(p, func(s *world.State) error {
		if t.physical != "" {
			delete(s.Associations, fmt.Sprint(t.attributes["AssociationId"]))
		}
		one, err := s.AddPodIdentity(world.PodIdentity{
			Namespace: p.text("Namespace"), ServiceAccount: p.text("ServiceAccount"), Role: p.text("RoleArn"),
		})
		if err != nil {
			return err
		}
		arn := s.ARN("eks", "podidentityassociation/"+s.Cluster.Name+"/"+one.ID)
		t.physical, t.ref, t.attributes = arn, arn, map[string]any{"AssociationArn": arn, "AssociationId": one.ID}
		return nil
	})
}

func (m *maker) removeAssociation(t *thing) error {
	return m.world.Do(func(s *world.State) error {
		delete(s.Associations, fmt.Sprint(t.attributes["AssociationId"]))
		return nil
	})
}

func (m *maker) putAddon(t *thing, p props) error {
	return m.onCluster(p, func(s *world.State) error {
		if t.physical != "" {
			delete(s.Addons, p.text("AddonName"))
		}
		one, err := s.AddAddon(
			world.Addon{
				Name:    p.text("AddonName"),
				Version: p.text("AddonVersion"),
				Role:    p.text("ServiceAccountRoleArn"),
			},
		)
		if err == nil {
			t.physical = s.Cluster.Name + "|" + one.Name
			t.ref, t.attributes = t.physical, map[string]any{
				"Arn": s.ARN("eks", "addon/"+s.Cluster.Name+"/"+one.Name),
			}
		}
		return err
	})
}

func (m *maker) removeAddon(t *thing) error {
	return m.world.Do(func(s *world.State) error {
		_, name, _ := strings.Cut(t.physical, "|")
		delete(s.Addons, name)
		return nil
	})
}

// putExperiment reads a template as CloudFormation spells it: its keys begin
// with capitals, FIS's own do not.
func (m *maker) putExperiment(t *thing, p props) error {
	body, err := json.Marshal(lowered(map[string]any(p), 0))
	if err != nil {
		return fmt.Errorf("encoding the experiment template %s: %w", t.logical, err)
	}
	var in fisapi.Template
	if err := json.Unmarshal(body, &in); err != nil {
		return invalid("The experiment template %s: %v", t.logical, err)
	}
	made, err := m.experiments.Create(in)
	if err != nil {
		return err
	}
	if t.physical != "" {
		m.experiments.Delete(t.physical)
	}
	t.physical, t.ref, t.attributes = made.ID, made.ID, map[string]any{"Id": made.ID}
	return nil
}

// lowered writes the first letter of FIS's own keys small. Names of targets,
// actions, tags and parameters stay as they are: they are keys of the maps
// listed here.
func lowered(v any, depth int) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, item := range v {
			out = append(out, lowered(item, depth))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			small := strings.ToLower(key[:1]) + key[1:]
			switch {
			case key == "Tags" || key == "ResourceTags" || key == "Parameters" || key == "Targets" && depth > 0:
				out[small] = v[key]
			case key == "Targets" || key == "Actions":
				inner := map[string]any{}
				named, _ := v[key].(map[string]any)
				for name, item := range named {
					inner[name] = lowered(item, depth+1)
				}
				out[small] = inner
			default:
				out[small] = lowered(v[key], depth)
			}
		}
		return out
	}
	return v
}

func (m *maker) removeExperiment(t *thing) error {
	m.experiments.Delete(t.physical)
	return nil
}

func (m *maker) putParameter(t *thing, p props) error {
	name := m.name(t, p.text("Name"))
	return m.world.Do(func(s *world.State) error {
		old, there := s.Parameters[name]
		if there && t.physical != name {
			return exists(t, name)
		}
		s.Parameters[name] = world.Parameter{
			Name:        name,
			Value:       p.text("Value"),
			Version:     old.Version + 1,
			Modified:    s.Now,
			Kind:        p.text("Type"),
			Description: p.text("Description"),
			Own:         true,
		}
		t.physical, t.ref, t.attributes = name, name, map[string]any{"Type": p.text("Type"), "Value": p.text("Value")}
		return nil
	})
}

func (m *maker) removeParameter(t *thing) error {
	return m.world.Do(func(s *world.State) error {
		delete(s.Parameters, t.physical)
		return nil
	})
}
