package chartvalues

import (
	"encoding/json"
	"slices"
	"strings"
)

// Removed is a value that a chart of Karpenter had and that ours has not.
type Removed struct {
	// Path is where the value stood, such as settings.aws.clusterName.
	Path string `json:"path"`
	// To is the value that replaces it, empty if none does.
	To string `json:"to,omitempty"`
	// Instead says what to do if no value replaces it; a clause that follows a semicolon.
	Instead string `json:"instead,omitempty"`
	// Harmless are values, as in JSON and without quotes, that ask for nothing which is not so anyway. "*" is any
	// value. Empty values are harmless everywhere.
	Harmless []string `json:"harmless,omitempty"`
	// Dropped is set where nothing is lost by leaving the value out, whatever it is: dovetail convert does so with a
	// note. The chart refuses it all the same, since nobody reads notes there.
	Dropped bool `json:"dropped,omitempty"`
}

const (
	assumeRole = "give the role by EKS Pod Identity (a target role), or by an AWS config file in " +
		"controller.extraVolumeMounts"
	noHook = "the webhooks are gone: remove it"
	drift  = "drift is always looked for: to hold it back, give each NodePool a budget {nodes: \"0\", reasons: " +
		"[Drifted]}"
	encoding = "logs are JSON: remove it"
)

// All lists every removed value, by path.
func All() []Removed {
	all := slices.Concat(settings(), logging(), hooks())
	slices.SortFunc(all, func(a, b Removed) int { return strings.Compare(a.Path, b.Path) })
	return all
}

func settings() []Removed {
	out := []Removed{
		{Path: "clusterName", To: "settings.clusterName"},
		{Path: "clusterEndpoint", To: "settings.clusterEndpoint"},
		{Path: "resources", To: "controller.resources"},
		{Path: "controller.batchMaxDuration", To: "settings.batchMaxDuration"},
		{Path: "controller.batchIdleDuration", To: "settings.batchIdleDuration"},
		{Path: "settings.aws.interruptionQueueName", To: "settings.interruptionQueue"},
		{Path: "settings.aws.interruptionQueue", To: "settings.interruptionQueue"},
		{Path: "settings.interruptionQueueName", To: "settings.interruptionQueue"},
		{
			Path:     "settings.aws.enablePodENI",
			Instead:  "instance types that have pod ENIs always say so: remove it",
			Harmless: []string{"true", "false"},
		},
		{
			Path:     "settings.aws.enableENILimitedPodDensity",
			Instead:  "set spec.kubelet.maxPods in the EC2NodeClass",
			Harmless: []string{"true"},
		},
		{
			Path:     "settings.aws.nodeNameConvention",
			Instead:  "nodes have the names that EC2 gives them: remove it",
			Harmless: []string{"ip-name"},
		},
		{Path: "settings.aws.tags", Instead: "set spec.tags in each EC2NodeClass"},
		{Path: "settings.featureGates.driftEnabled", Instead: drift, Harmless: []string{"true"}},
		{Path: "settings.featureGates.drift", Instead: drift, Harmless: []string{"true"}},
		{Path: "settings.assumeRoleARN", Instead: assumeRole},
		{Path: "settings.assumeRoleDuration", Instead: assumeRole, Harmless: []string{"15m"}},
		{Path: "settings.aws.assumeRoleARN", Instead: assumeRole},
		{Path: "settings.aws.assumeRoleDuration", Instead: assumeRole, Harmless: []string{"15m"}},
	}
	for _, name := range []string{"clusterCABundle", "clusterName", "clusterEndpoint", "isolatedVPC",
		"vmMemoryOverheadPercent", "reservedENIs"} {
		out = append(out, Removed{Path: "settings.aws." + name, To: "settings." + name})
	}
	for _, path := range []string{"settings.aws.defaultInstanceProfile", "aws.defaultInstanceProfile"} {
		out = append(out, Removed{Path: path, Instead: "set spec.instanceProfile or spec.role in each EC2NodeClass"})
	}
	return out
}

func logging() []Removed {
	return []Removed{
		{Path: "controller.logLevel", To: "logLevel"},
		{Path: "controller.outputPaths", To: "logOutputPaths"},
		{Path: "controller.errorOutputPaths", To: "logErrorOutputPaths"},
		{Path: "controller.logEncoding", Instead: encoding, Harmless: []string{"json"}, Dropped: true},
		{Path: "logEncoding", Instead: encoding, Harmless: []string{"json"}, Dropped: true},
		{Path: "logConfig.enabled", Instead: "there is no ConfigMap of logging: remove it", Harmless: []string{"*"}},
		{Path: "logConfig.logEncoding", Instead: encoding, Harmless: []string{"json"}, Dropped: true},
		{Path: "logConfig.outputPaths", To: "logOutputPaths", Harmless: []string{`["stdout"]`}},
		{Path: "logConfig.errorOutputPaths", To: "logErrorOutputPaths", Harmless: []string{`["stderr"]`}},
		{Path: "logConfig.logLevel.global", To: "logLevel", Harmless: []string{"info"}},
		{Path: "logConfig.logLevel.controller", To: "logLevel", Harmless: []string{"info"}},
		{Path: "logConfig.logLevel.webhook", Instead: noHook, Harmless: []string{"*"}},
	}
}

func hooks() []Removed {
	out := []Removed{{Path: "webhook.enabled", Instead: noHook, Harmless: []string{"false"}, Dropped: true}}
	for _, path := range []string{
		"webhook.logLevel", "webhook.port", "webhook.metrics.port", "webhook.serviceName", "webhook.serviceNamespace",
		"postInstallHook.image.repository", "postInstallHook.image.tag", "postInstallHook.image.digest",
	} {
		out = append(out, Removed{Path: path, Instead: noHook, Harmless: []string{"*"}})
	}
	return out
}

// Find returns the removed value of a path.
func Find(path string) (Removed, bool) {
	for _, r := range All() {
		if r.Path == path {
			return r, true
		}
	}
	return Removed{}, false
}

// AsksNothing reports whether a value is empty, or asks for what is so anyway.
func (r Removed) AsksNothing(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == "" || r.harmless(v)
	case []any:
		if len(v) == 0 {
			return true
		}
	case map[string]any:
		if len(v) == 0 {
			return true
		}
	}
	text, err := json.Marshal(value)
	return err == nil && r.harmless(string(text))
}

func (r Removed) harmless(text string) bool {
	return slices.Contains(r.Harmless, "*") || slices.Contains(r.Harmless, text)
}

// Refusal says what to do about a value that asks for something.
func (r Removed) Refusal() string {
	if r.To != "" {
		return r.Path + " is called " + r.To + " now"
	}
	return r.Path + " is no longer a value; " + r.Instead
}
