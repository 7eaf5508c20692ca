package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const clustersFolder = "flux/clusters"

func walkTree(ctx context.Context, tree string, clusters []string, objects bool, out io.Writer) error {
	if len(clusters) == 0 {
		folders, err := os.ReadDir(filepath.Join(tree, clustersFolder))
		if err != nil {
			return err
		}
		for _, folder := range folders {
			if folder.IsDir() {
				clusters = append(clusters, folder.Name())
			}
		}
	}
	source, err := os.MkdirTemp("", "flux-oracle-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(source)
	if err := unpack(tree, "", source); err != nil {
		return err
	}
	var failures []error
	for _, name := range clusters {
		it := walk{source: source, cluster: name, out: out, printObjects: objects}
		if err := it.run(ctx); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(failures...)
}

// One cluster's way from its root through all Flux Kustomizations that come out of builds. A build sees the ConfigMaps and
// Secrets of the builds before it.
type walk struct {
	source       string
	cluster      string
	out          io.Writer
	printObjects bool

	queue []*unstructured.Unstructured
	seen  map[string]bool
	held  []*unstructured.Unstructured
	total int
}

func (w *walk) run(ctx context.Context) error {
	instance, err := instanceIn(filepath.Join(w.source, clustersFolder, w.cluster))
	if err != nil {
		return err
	}
	root, err := rootOf(instance)
	if err != nil {
		return err
	}
	w.seen = map[string]bool{}
	w.found(root)
	// As the controller does, one that fails is tried again while others still bring something new.
	var failures []error
	for progress := true; progress && len(w.queue) > 0; {
		round := w.queue
		w.queue, failures, progress = nil, nil, false
		for _, next := range round {
			if err := w.build(ctx, next); err != nil {
				failures = append(failures, fmt.Errorf("Kustomization %s/%s: %w", next.GetNamespace(), next.GetName(), err))
				w.queue = append(w.queue, next)
			} else {
				progress = true
			}
		}
	}
	if !w.printObjects {
		fmt.Fprintf(w.out, "%s: %d objects of %d Kustomizations\n", w.cluster, w.total, len(w.seen))
	}
	return errors.Join(failures...)
}

func (w *walk) found(kustomization *unstructured.Unstructured) {
	key := kustomization.GetNamespace() + "/" + kustomization.GetName()
	if !w.seen[key] {
		w.seen[key] = true
		w.queue = append(w.queue, kustomization)
	}
}

func (w *walk) build(ctx context.Context, kustomization *unstructured.Unstructured) error {
	it := job{source: w.source, kustomization: kustomization, objects: w.held, strict: true}
	objects, err := it.build(ctx)
	if err != nil {
		return err
	}
	w.total += len(objects)
	for _, object := range objects {
		switch {
		case object.GetKind() == "Kustomization" && strings.HasPrefix(object.GetAPIVersion(), "kustomize.toolkit.fluxcd.io/"):
			w.found(object)
		case object.GetAPIVersion() == "v1" && (object.GetKind() == "ConfigMap" || object.GetKind() == "Secret"):
			w.held = append(w.held, object)
		}
	}
	if !w.printObjects {
		_, err := fmt.Fprintf(w.out, "%s: %s/%s: %d\n", w.cluster, kustomization.GetNamespace(), kustomization.GetName(), len(objects))
		return err
	}
	lines := json.NewEncoder(w.out)
	lines.SetEscapeHTML(false)
	for _, object := range objects {
		line := map[string]any{"cluster": w.cluster, "kustomization": kustomization.GetName(), "object": object.Object}
		if err := lines.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
