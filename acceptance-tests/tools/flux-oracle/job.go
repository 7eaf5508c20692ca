package main

import (
	"bytes"
	"context"
	"fmt"
	"os"

	securejoin "github.com/cyphar/filepath-securejoin"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	generator "github.com/fluxcd/pkg/kustomize"
	ssautil "github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// One build of one Flux Kustomization: the steps and their order are those of kustomize-controller v1.9. Decryption is left
// out, as the controller keeps that code to itself: an encrypted object comes out as it stands in its file.
type job struct {
	source        string
	ignore        string
	kustomization *unstructured.Unstructured
	objects       []*unstructured.Unstructured
	strict        bool
}

func (j job) build(ctx context.Context) (objects []*unstructured.Unstructured, err error) {
	// A substring that ends before it starts makes envsubst panic, and the controller's framework calls that an error.
	defer func() {
		if reason := recover(); reason != nil {
			objects, err = nil, fmt.Errorf("recovered from a panic: %v", reason)
		}
	}()
	// The controller works on its own type, which drops fields that it does not know.
	var typed kustomizev1.Kustomization
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(j.kustomization.Object, &typed); err != nil {
		return nil, fmt.Errorf("the Flux Kustomization cannot be read: %w", err)
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&typed)
	if err != nil {
		return nil, fmt.Errorf("the Flux Kustomization cannot be read: %w", err)
	}

	root, err := os.MkdirTemp("", "flux-oracle-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	if err := unpack(j.source, j.ignore, root); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	folder, err := securejoin.SecureJoin(root, typed.Spec.Path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(folder); err != nil {
		return nil, fmt.Errorf("kustomization path not found: %w", err)
	}

	if _, err := generator.NewGenerator(root, unstructured.Unstructured{Object: fields}).WriteFile(folder); err != nil {
		return nil, err
	}
	manifests, err := j.render(ctx, root, folder, typed, fields)
	if err != nil {
		return nil, err
	}
	objects, err = ssautil.ReadObjects(bytes.NewReader(manifests))
	if err != nil {
		return nil, err
	}
	if common := typed.Spec.CommonMetadata; common != nil {
		ssautil.SetCommonMetadata(objects, common.Labels, common.Annotations)
	}
	return objects, nil
}

func (j job) render(ctx context.Context, root, folder string, typed kustomizev1.Kustomization, fields map[string]any) ([]byte, error) {
	// No remote bases: a test that needs the network says nothing of the tree.
	rendered, err := generator.SecureBuild(root, folder, false)
	if err != nil {
		return nil, fmt.Errorf("kustomize build failed: %w", err)
	}
	cluster, err := clusterOf(j.objects)
	if err != nil {
		return nil, err
	}
	for _, resource := range rendered.Resources() {
		if resource.GetName() == "" || resource.GetKind() == "" || resource.GetApiVersion() == "" {
			return nil, fmt.Errorf("failed to decode Kubernetes apiVersion, kind and name from: %v", resource.String())
		}
		if typed.Spec.PostBuild == nil {
			continue
		}
		substituted, err := generator.SubstituteVariables(ctx, cluster, unstructured.Unstructured{Object: fields}, resource,
			generator.SubstituteWithStrict(j.strict),
			generator.SubstituteWithAlways(typed.GetSubstituteStrategy() == kustomizev1.SubstituteStrategyAlways))
		if err != nil {
			return nil, fmt.Errorf("post build failed for '%s/%s': %w", resource.GetGvk(), resource.GetName(), err)
		}
		if substituted == nil {
			continue
		}
		if _, err := rendered.Replace(resource); err != nil {
			return nil, err
		}
	}
	manifests, err := rendered.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("kustomize build failed: %w", err)
	}
	return manifests, nil
}
