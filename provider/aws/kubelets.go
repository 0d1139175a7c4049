package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/instancetype"
	"github.com/dovetail-sh/dovetail/provider/aws/inventory"
)

// kubelets are the kubelet settings of a class's nodes, by instance type.
type kubelets struct {
	setup instancetype.Setup
	class *awsv1.EC2NodeClass
	types []ec2types.InstanceTypeInfo // what the region sells; empty where the settings are the same for all
}

// kubeletsOf asks for the region's types only if the class's settings differ between them.
func kubeletsOf(
	ctx context.Context, region *inventory.Store, setup instancetype.Setup, class *awsv1.EC2NodeClass,
) (kubelets, error) {
	k := kubelets{setup: setup, class: class}
	if !k.setup.Kubelet.HasExpressions() {
		return k, nil
	}
	sold, err := region.List(ctx)
	if err != nil {
		return kubelets{}, fmt.Errorf("working out the kubelet settings of EC2NodeClass %s: %w", class.Name, err)
	}
	k.types = sold.Types
	return k, nil
}

// of are the settings for a type, for variant.kubelet. An error names the expression that gives nothing good for it.
func (k kubelets) of(instanceType string) (string, error) {
	if !k.setup.Kubelet.HasExpressions() {
		return settingsText(k.setup), nil
	}
	for _, info := range k.types {
		if string(info.InstanceType) == instanceType {
			setup, err := k.setup.For(info)
			return settingsText(setup), err
		}
	}
	return "", fmt.Errorf("instance type %s is not sold in the region", instanceType)
}

// maxNamed is how many types a message names.
const maxNamed = 5

// sample is of for some type that the class may launch, and a remark on those that it may not because of an expression.
// It is an error if an expression fails for every type.
func (k kubelets) sample() (settings, remark string, err error) {
	var unfit []string
	for _, info := range k.types {
		if !instancetype.Supported(info, k.class) {
			continue
		}
		setup, wrong := k.setup.For(info)
		switch {
		case wrong == nil && settings == "":
			settings = settingsText(setup)
		case wrong != nil && len(unfit) == 0:
			err = wrong
			fallthrough
		case wrong != nil:
			unfit = append(unfit, string(info.InstanceType))
		}
	}
	switch {
	case len(unfit) == 0:
		if settings == "" {
			settings = settingsText(k.setup) // no expression, or no type to work it out for
		}
		return settings, "", nil
	case settings == "":
		return "", "", err
	}
	names := strings.Join(unfit[:min(len(unfit), maxNamed)], ", ")
	if more := len(unfit) - maxNamed; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return settings, fmt.Sprintf("Instance types %s are left out: %v", names, err), nil
}

// settingsText is a type's kubelet settings as JSON, without the number of pods, which templates have by themselves.
func settingsText(s instancetype.Setup) string {
	said := s.Kubelet
	said.MaxPods = nil
	text, err := json.Marshal(said)
	if err != nil {
		panic("writing kubelet settings as JSON: " + err.Error()) // strings, numbers and maps of them
	}
	return string(text)
}
