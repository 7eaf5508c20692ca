package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	generator "github.com/fluxcd/pkg/kustomize"
	ssautil "github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// The Flux Kustomization that flux-operator makes of a FluxInstance's `spec.sync`, with the instance's patches on it.
func rootOf(instance *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	sync, found, err := unstructured.NestedMap(instance.Object, "spec", "sync")
	if err != nil || !found {
		return nil, errors.New("its FluxInstance has no `spec.sync`")
	}
	name, _, _ := unstructured.NestedString(sync, "name")
	if name == "" {
		name = instance.GetNamespace()
	}
	root := map[string]any{
		"apiVersion": "kustomize.toolkit.fluxcd.io/v1",
		"kind":       "Kustomization",
		"metadata":   map[string]any{"name": name, "namespace": instance.GetNamespace()},
		"spec": map[string]any{
			"interval":  "10m0s",
			"path":      sync["path"],
			"prune":     true,
			"sourceRef": map[string]any{"kind": sync["kind"], "name": name},
		},
	}
	patches, _, err := unstructured.NestedSlice(instance.Object, "spec", "kustomize", "patches")
	if err != nil {
		return nil, fmt.Errorf("its FluxInstance: %w", err)
	}
	return patched(root, patches)
}

func patched(object map[string]any, patches []any) (*unstructured.Unstructured, error) {
	memory := filesys.MakeFsInMemory()
	for file, content := range map[string]any{
		"object.yaml":        object,
		"kustomization.yaml": map[string]any{"resources": []string{"object.yaml"}, "patches": patches},
	} {
		encoded, err := yaml.Marshal(content)
		if err != nil {
			return nil, err
		}
		if err := memory.WriteFile(file, encoded); err != nil {
			return nil, err
		}
	}
	rendered, err := generator.Build(memory, ".")
	if err != nil {
		return nil, fmt.Errorf("the patches of its FluxInstance: %w", err)
	}
	encoded, err := rendered.AsYaml()
	if err != nil {
		return nil, err
	}
	return ssautil.ReadObject(bytes.NewReader(encoded))
}

// The one FluxInstance in the files of a cluster's folder.
func instanceIn(folder string) (*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(folder, "flux-system", "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := ssautil.ReadObjects(bytes.NewReader(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, object := range objects {
			if object.GetKind() == "FluxInstance" {
				return object, nil
			}
		}
	}
	return nil, fmt.Errorf("there is no FluxInstance in %s", filepath.Join(folder, "flux-system"))
}
