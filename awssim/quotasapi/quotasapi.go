// Package quotasapi answers Service Quotas about EC2's vCPU quotas, which the
// account may be limited by, and those that go with a cluster.
package quotasapi

import (
	"context"
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type api struct{ world *world.World }

// New makes Service Quotas.
func New(w *world.World) wire.API {
	a := &api{w}
	return wire.API{Name: wire.Quotas, Target: "ServiceQuotasV20190624", Actions: wire.Service{
		"GetServiceQuota":           wire.Handle(a.get),
		"ListServiceQuotas":         wire.Handle(a.list),
		"GetAWSDefaultServiceQuota": wire.Handle(a.get),
		"ListServices":              wire.Handle(services),
	}}
}

// known are the quotas that are told, with AWS's codes. bucket and capacity
// say which limit of the account counts for vCPUs; usual is AWS's figure
// where the account has none.
var known = []struct {
	service, code, name, bucket, capacity string
	usual                                 float64
}{
	{
		"ec2",
		"L-1216C47A",
		"Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
		"standard",
		world.OnDemand,
		1152,
	},
	{
		"ec2",
		"L-34B43A08",
		"All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
		"standard",
		world.Spot,
		1152,
	},
	{"ec2", "L-DB2E81BA", "Running On-Demand G and VT instances", "g", world.OnDemand, 768},
	{"ec2", "L-3819A6DF", "All G and VT Spot Instance Requests", "g", world.Spot, 768},
	{"ec2", "L-417A185B", "Running On-Demand P instances", "p", world.OnDemand, 768},
	{"ec2", "L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", "p", world.Spot, 768},
	{"ec2", "L-1945791B", "Running On-Demand Inf instances", "inf", world.OnDemand, 768},
	{"ec2", "L-B5D1601B", "All Inf Spot Instance Requests", "inf", world.Spot, 768},
	{"ec2", "L-2C3B7624", "Running On-Demand Trn instances", "trn", world.OnDemand, 768},
	{"ec2", "L-6B0D517C", "All Trn Spot Instance Requests", "trn", world.Spot, 768},
	{"ec2", "L-7295265B", "Running On-Demand X instances", "x", world.OnDemand, 768},
	{"ec2", "L-E3A00192", "All X Spot Instance Requests", "x", world.Spot, 768},
	{"iam", "L-6E65F664", "Instance profiles per account", "", "", 1000},
	{"iam", "L-FE177D64", "Roles per account", "", "", 1000},
	{"eks", "L-1194D53C", "Clusters", "", "", 100},
}

type quota struct {
	ServiceCode, ServiceName       string
	QuotaArn, QuotaCode, QuotaName string
	Value                          float64
	Unit                           string
	Adjustable, GlobalQuota        bool
}

type getIn struct{ ServiceCode, QuotaCode string }

type getOut struct{ Quota quota }

func (a *api) get(_ context.Context, _ *wire.Call, in *getIn) (*getOut, error) {
	all, err := a.quotas(in.ServiceCode)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(q quota) bool { return q.QuotaCode == in.QuotaCode })
	if i < 0 {
		return nil, apierror.New(
			"NoSuchResourceException",
			"The quota %s of %s is not simulated.",
			in.QuotaCode,
			in.ServiceCode,
		)
	}
	return &getOut{all[i]}, nil
}

type listOut struct{ Quotas []quota }

func (a *api) list(_ context.Context, _ *wire.Call, in *getIn) (*listOut, error) {
	all, err := a.quotas(in.ServiceCode)
	return &listOut{all}, err
}

func (a *api) quotas(service string) ([]quota, error) {
	var out []quota
	_ = a.world.Do(func(s *world.State) error {
		for _, q := range known {
			if q.service != service {
				continue
			}
			value := q.usual
			if set, limited := s.Quotas[world.Quota{Bucket: q.bucket, Capacity: q.capacity}]; limited {
				value = float64(set)
			}
			out = append(out, quota{
				q.service,
				names[q.service],
				s.ARN("servicequotas", q.service+"/"+q.code),
				q.code,
				q.name,
				value,
				"None",
				true,
				q.service == "iam",
			})
		}
		return nil
	})
	if len(out) == 0 {
		return nil, apierror.New("NoSuchResourceException", "Quotas of the service %s are not simulated.", service)
	}
	return out, nil
}

// names are those of the services.
var names = map[string]string{
	"ec2": "Amazon Elastic Compute Cloud (Amazon EC2)", "iam": "AWS Identity and Access Management (IAM)",
	"eks": "Amazon Elastic Kubernetes Service (Amazon EKS)",
}

type serviceInfo struct{ ServiceCode, ServiceName string }

type servicesOut struct{ Services []serviceInfo }

func services(context.Context, *wire.Call, *struct{}) (*servicesOut, error) {
	out := &servicesOut{}
	for _, code := range []string{"ec2", "eks", "iam"} {
		out.Services = append(out.Services, serviceInfo{code, names[code]})
	}
	return out, nil
}
