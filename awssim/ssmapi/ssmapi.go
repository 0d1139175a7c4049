// Package ssmapi answers SSM's parameter store: the public parameters that
// name EKS-optimized images.
package ssmapi

import (
	"context"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type api struct{ world *world.World }

// New returns SSM's actions.
func New(w *world.World) wire.Service {
	a := &api{w}
	return wire.Service{
		"GetParameter":  wire.Handle(a.get),
		"GetParameters": wire.Handle(a.getMany),
	}
}

type parameter struct {
	ARN              string
	DataType         string
	LastModifiedDate float64 // seconds since 1970
	Name             string
	Type             string
	Value            string
	Version          int64
}

func describe(s *world.State, p world.Parameter) parameter {
	dataType := "text"
	if len(p.Value) > 4 && p.Value[:4] == "ami-" {
		dataType = "aws:ec2:image"
	}
	return parameter{
		"arn:" + s.Partition() + ":ssm:" + s.Region.Name + "::parameter" + p.Name, dataType,
		float64(p.Modified.UnixMilli()) / 1000, p.Name, "String", p.Value, p.Version,
	}
}

type getIn struct{ Name string }

type getOut struct{ Parameter parameter }

func (a *api) get(_ context.Context, _ *wire.Call, in *getIn) (*getOut, error) {
	out := &getOut{}
	return out, a.world.Do(func(s *world.State) error {
		p, ok := s.Parameters[in.Name]
		if !ok {
			return apierror.New("ParameterNotFound", "Parameter %s not found.", in.Name)
		}
		out.Parameter = describe(s, p)
		return nil
	})
}

type getManyIn struct{ Names []string }

type getManyOut struct {
	InvalidParameters []string
	Parameters        []parameter
}

func (a *api) getMany(_ context.Context, _ *wire.Call, in *getManyIn) (*getManyOut, error) {
	if len(in.Names) < 1 || len(in.Names) > 10 {
		return nil, apierror.New("ValidationException", "1 validation error detected: names must have 1 to 10 members, got %d", len(in.Names))
	}
	out := &getManyOut{InvalidParameters: []string{}, Parameters: []parameter{}}
	return out, a.world.Do(func(s *world.State) error {
		for _, name := range in.Names {
			if p, ok := s.Parameters[name]; ok {
				out.Parameters = append(out.Parameters, describe(s, p))
			} else {
				out.InvalidParameters = append(out.InvalidParameters, name)
			}
		}
		return nil
	})
}
