package ec2api

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type consoleIn struct {
	DryRun     bool
	InstanceID string `query:"InstanceId"`
	Latest     bool
}

type consoleOut struct {
	InstanceID string `xml:"instanceId"`
	Time       string `xml:"timestamp"`
	Output     string `xml:"output,omitempty"`
}

// getConsoleOutput tells how the machine's boot went.
func (a machines) getConsoleOutput(_ context.Context, _ *wire.Call, in *consoleIn) (*consoleOut, error) {
	out := &consoleOut{InstanceID: in.InstanceID}
	return out, a.world.Do(func(s *world.State) error {
		one, err := s.Instance(in.InstanceID)
		if err != nil || in.DryRun {
			return cmp.Or(err, error(apierror.DryRun()))
		}
		out.Time = stamp(s.Now)
		if text := consoleText(s, one); text != "" {
			out.Output = base64.StdEncoding.EncodeToString([]byte(text))
		}
		return nil
	})
}

// consoleText is empty until the machine runs.
func consoleText(s *world.State, in *world.Instance) string {
	if s.SeenState(in) == world.Pending {
		return ""
	}
	lines := []string{
		fmt.Sprintf("simulated machine %s, %s, image %s (%s)", in.ID, in.Type.Name, in.Image.ID, in.Image.Family),
	}
	switch {
	case in.BootFailure != "":
		lines = append(lines, "the machine does not join the cluster: "+in.BootFailure)
	case in.Node != "":
		lines = append(lines, "the kubelet registered the node "+in.Node)
	}
	return strings.Join(lines, "\n") + "\n"
}

type attributeIn struct {
	DryRun     bool
	InstanceID string `query:"InstanceId"`
	Attribute  string
}

type attributeText struct {
	Value string `xml:"value,omitempty"`
}

type attributeOut struct {
	InstanceID string         `xml:"instanceId"`
	Type       *attributeText `xml:"instanceType"`
	UserData   *attributeText `xml:"userData"`
	Root       *attributeText `xml:"rootDeviceName"`
	Protected  *attributeText `xml:"disableApiTermination"`
	NoStop     *attributeText `xml:"disableApiStop"`
	Optimized  *attributeText `xml:"ebsOptimized"`
	Enclave    *enclaveXML    `xml:"enclaveOptions"`
	Groups     []group        `xml:"groupSet>item,omitempty"`
}

func (a machines) describeInstanceAttribute(_ context.Context, _ *wire.Call, in *attributeIn) (*attributeOut, error) {
	out := &attributeOut{InstanceID: in.InstanceID}
	return out, a.world.Do(func(s *world.State) error {
		one, err := s.Instance(in.InstanceID)
		if err != nil || in.DryRun {
			return cmp.Or(err, error(apierror.DryRun()))
		}
		yes := func(b *bool) *attributeText { return &attributeText{fmt.Sprint(b != nil && *b)} }
		described := instanceXML(s, one)
		switch in.Attribute {
		case "instanceType":
			out.Type = &attributeText{one.Type.Name}
		case "userData":
			out.UserData = &attributeText{one.Data.UserData}
		case "rootDeviceName":
			out.Root = &attributeText{one.Image.RootDevice}
		case "disableApiTermination":
			out.Protected = yes(one.Data.DisableAPITermination)
		case "disableApiStop":
			out.NoStop = yes(one.Data.DisableAPIStop)
		case "ebsOptimized":
			out.Optimized = yes(&described.EbsOptimized)
		case "enclaveOptions":
			out.Enclave = &described.Enclave
		case "groupSet":
			out.Groups = described.Groups
		case "":
			return apierror.Missing("Attribute")
		default:
			return apierror.Invalid("The attribute '%s' is not simulated.", in.Attribute)
		}
		return nil
	})
}

type describeFleetsIn struct {
	asked
	IDs []string `query:"FleetId"`
}

type describeFleetsOut struct {
	Fleets []struct{} `xml:"fleetSet>item"`
}

// describeFleets lists none: EC2 tells instant fleets only by id, and those are
// forgotten once they are answered.
func (a machines) describeFleets(_ context.Context, _ *wire.Call, in *describeFleetsIn) (*describeFleetsOut, error) {
	switch {
	case len(in.IDs) > 0:
		return nil, apierror.New(
			"InvalidFleetId.NotFound",
			"The fleet ID '%s' does not exist: instant fleets are not kept by the simulation.",
			in.IDs[0],
		)
	case in.DryRun:
		return nil, apierror.DryRun()
	}
	return &describeFleetsOut{}, nil
}

type modifyAttributeIn struct {
	DryRun     bool
	InstanceID string         `query:"InstanceId"`
	Groups     []string       `query:"GroupId"`
	Protected  *attributeBool `query:"DisableApiTermination"`
	NoStop     *attributeBool `query:"DisableApiStop"`
	Attribute  string
	Value      string
}

type attributeBool struct{ Value bool }

// modifyInstanceAttribute changes one instance alone: what it shares with
// others of its launch is copied first.
func (a machines) modifyInstanceAttribute(_ context.Context, _ *wire.Call, in *modifyAttributeIn) (*done, error) {
	if in.Attribute != "" || in.Value != "" || len(in.Groups) == 0 && in.Protected == nil && in.NoStop == nil {
		return nil, apierror.Invalid(
			"Only GroupId, DisableApiTermination and DisableApiStop can be changed: no other attribute is simulated.",
		)
	}
	return &done{true}, a.world.Do(func(s *world.State) error {
		one, err := s.Instance(in.InstanceID)
		if err != nil {
			return err
		}
		for _, id := range in.Groups {
			if _, err := s.Group(id); err != nil {
				return err
			}
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		data := *one.Data
		if len(in.Groups) > 0 {
			data.SecurityGroupIDs = in.Groups
			data.NetworkInterfaces = slices.Clone(data.NetworkInterfaces)
			for i := range data.NetworkInterfaces {
				data.NetworkInterfaces[i].SecurityGroupIDs = nil
			}
		}
		if in.Protected != nil {
			data.DisableAPITermination = &in.Protected.Value
		}
		if in.NoStop != nil {
			data.DisableAPIStop = &in.NoStop.Value
		}
		one.Data = &data
		return nil
	})
}
