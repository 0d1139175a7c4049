// Package eksapi answers EKS about the one cluster of the account.
package eksapi

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type api struct{ world *world.World }

// New returns EKS's operations.
func New(w *world.World) wire.Service {
	a := &api{w}
	return wire.Service{
		"DescribeCluster": wire.Handle(a.describe),
		"ListClusters":    wire.Handle(a.list),
	}
}

type cluster struct {
	Name            string            `json:"name"`
	Arn             string            `json:"arn"`
	CreatedAt       float64           `json:"createdAt"`
	Version         string            `json:"version"`
	PlatformVersion string            `json:"platformVersion"`
	Endpoint        string            `json:"endpoint"`
	RoleArn         string            `json:"roleArn"`
	Status          string            `json:"status"`
	CA              authority         `json:"certificateAuthority"`
	Network         kubernetesNetwork `json:"kubernetesNetworkConfig"`
	VPC             vpcConfig         `json:"resourcesVpcConfig"`
	Tags            map[string]string `json:"tags"`
}

type authority struct {
	Data string `json:"data"` // base64 of the PEM
}

type kubernetesNetwork struct {
	ServiceIPv4CIDR string `json:"serviceIpv4Cidr"`
	IPFamily        string `json:"ipFamily"`
}

type vpcConfig struct {
	VPC           string   `json:"vpcId"`
	Subnets       []string `json:"subnetIds"`
	Groups        []string `json:"securityGroupIds"`
	ClusterGroup  string   `json:"clusterSecurityGroupId"`
	PublicAccess  bool     `json:"endpointPublicAccess"`
	PrivateAccess bool     `json:"endpointPrivateAccess"`
}

type describeOut struct {
	Cluster cluster `json:"cluster"`
}

func (a *api) describe(_ context.Context, c *wire.Call, _ *struct{}) (*describeOut, error) {
	out := &describeOut{}
	return out, a.world.Do(func(s *world.State) error {
		k := s.Cluster
		if c.Path["name"] != k.Name {
			return apierror.WithStatus(http.StatusNotFound, "ResourceNotFoundException", "No cluster found for name: %s.", c.Path["name"])
		}
		out.Cluster = cluster{
			Name: k.Name, Arn: s.ARN("eks", "cluster/"+k.Name), CreatedAt: 1.7e9, Version: k.Version, PlatformVersion: "eks.1",
			Endpoint: k.Endpoint, RoleArn: s.ARN("iam", "role/eks-cluster"), Status: "ACTIVE",
			CA:      authority{base64.StdEncoding.EncodeToString(k.CA)},
			Network: kubernetesNetwork{k.ServiceCIDR, "ipv4"},
			VPC:     vpcConfig{VPC: s.VPC.ID, ClusterGroup: s.Groups[1].ID, PublicAccess: true, Groups: []string{}},
			Tags:    map[string]string{},
		}
		for _, n := range s.Subnets {
			out.Cluster.VPC.Subnets = append(out.Cluster.VPC.Subnets, n.ID)
		}
		return nil
	})
}

type listOut struct {
	Clusters []string `json:"clusters"`
}

func (a *api) list(context.Context, *wire.Call, *struct{}) (*listOut, error) {
	out := &listOut{}
	return out, a.world.Do(func(s *world.State) error {
		out.Clusters = []string{s.Cluster.Name}
		return nil
	})
}
