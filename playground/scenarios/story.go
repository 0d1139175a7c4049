package scenarios

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

// archives are the stories; each file's name is its story's.
//
//go:embed scripts/*.txtar
var archives embed.FS

// quickMark in a story's second line marks it as one of the quick ones, which `world --quick` plays.
const quickMark = "# quick"

// Story is one script with its manifests.
type Story struct {
	Name  string // "kafka-zonal-volumes"
	Title string // the first line of the script
	Quick bool   // one of those that `world --quick` plays

	script string
	files  map[string]string
}

// Stories are all of them, by name. The error names the archive that is not a story.
func Stories() ([]Story, error) {
	entries, err := archives.ReadDir("scripts")
	if err != nil {
		return nil, fmt.Errorf("listing stories: %w", err)
	}
	var out []Story
	for _, e := range entries {
		data, err := archives.ReadFile(path.Join("scripts", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading story %s: %w", e.Name(), err)
		}
		s, err := parse(strings.TrimSuffix(e.Name(), ".txtar"), data)
		if err != nil {
			return nil, fmt.Errorf("story %s: %w", e.Name(), err)
		}
		out = append(out, s)
	}
	return out, nil
}

// Named chooses stories by name; none chosen means all. The error lists what there is.
func Named(all []Story, names ...string) ([]Story, error) {
	if len(names) == 0 {
		return all, nil
	}
	var out []Story
	for _, name := range names {
		i := slices.IndexFunc(all, func(s Story) bool { return s.Name == name })
		if i < 0 {
			var known []string
			for _, s := range all {
				known = append(known, s.Name)
			}
			return nil, fmt.Errorf("there is no story %q; choose from %s", name, strings.Join(known, ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

func parse(name string, data []byte) (Story, error) {
	archive := txtar.Parse(data)
	s := Story{Name: name, script: string(archive.Comment), files: map[string]string{}}
	first, rest, _ := strings.Cut(s.script, "\n")
	title, ok := strings.CutPrefix(first, "# ")
	if !ok {
		return Story{}, errors.New("the first line must be its title, a comment")
	}
	s.Title, s.Quick = title, strings.HasPrefix(rest, quickMark)
	for _, f := range archive.Files {
		s.files[f.Name] = string(f.Data)
	}
	return s, nil
}

// manifest is one of the story's files, or one that all stories share, with variables filled in.
func (s Story) manifest(name string, variables map[string]string) (string, error) {
	text, ok := s.files[name]
	if !ok {
		text, ok = sharedFiles[name]
	}
	if !ok {
		return "", fmt.Errorf("the story has no file %s", name)
	}
	var missing error
	filled := os.Expand(text, func(variable string) string {
		value, ok := variables[variable]
		if !ok {
			missing = errors.Join(missing, fmt.Errorf("%s wants the variable %s", name, variable))
		}
		return value
	})
	return filled, missing
}

// sharedFiles are manifests that nearly every story begins with.
var sharedFiles = map[string]string{"class.yaml": `
apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
metadata:
  name: default
spec:
  amiSelectorTerms: [{alias: al2023@latest}]
  role: KarpenterNodeRole-${CLUSTER_NAME}
  subnetSelectorTerms: [{tags: {karpenter.sh/discovery: "${CLUSTER_NAME}"}}]
  securityGroupSelectorTerms: [{tags: {karpenter.sh/discovery: "${CLUSTER_NAME}"}}]
`, "gp3.yaml": `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: gp3
provisioner: ebs.csi.aws.com
volumeBindingMode: WaitForFirstConsumer
`, "pool.yaml": `
apiVersion: karpenter.sh/v1
kind: NodePool
metadata:
  name: general
spec:
  template:
    spec:
      requirements:
        - {key: karpenter.sh/capacity-type, operator: In, values: [on-demand]}
        - {key: kubernetes.io/arch, operator: In, values: [amd64]}
        - {key: karpenter.k8s.aws/instance-category, operator: In, values: [c, m, r]}
        - {key: karpenter.k8s.aws/instance-generation, operator: Gt, values: ["4"]}
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
      expireAfter: Never
  disruption:
    consolidationPolicy: WhenEmptyOrUnderutilized
    consolidateAfter: 5s
    budgets: [{nodes: "100%"}]
`, "spot.yaml": `
apiVersion: karpenter.sh/v1
kind: NodePool
metadata:
  name: spot
spec:
  template:
    spec:
      requirements:
        - {key: karpenter.sh/capacity-type, operator: In, values: [spot, on-demand]}
        - {key: kubernetes.io/arch, operator: In, values: [amd64, arm64]}
        - {key: karpenter.k8s.aws/instance-category, operator: In, values: [c, m, r]}
        - {key: karpenter.k8s.aws/instance-generation, operator: Gt, values: ["4"]}
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
      expireAfter: 720h
  disruption:
    consolidationPolicy: WhenEmptyOrUnderutilized
    consolidateAfter: 5s
    budgets: [{nodes: "100%"}]
`}
