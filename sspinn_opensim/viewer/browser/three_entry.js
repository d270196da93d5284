// What the viewer needs of three.js. three.min.js is made of it, in a folder of its own, by
//   npm install three@0.180.0 esbuild@0.25.10
//   npx esbuild three_entry.js --bundle --minify --format=iife --global-name=THREE --legal-comments=none \
//     --target=es2020 --outfile=three.min.js
export {
  AmbientLight, BufferAttribute, BufferGeometry, Color, ConeGeometry, CylinderGeometry, DirectionalLight, DynamicDrawUsage,
  Group, HemisphereLight, InstancedMesh, LineBasicMaterial, LineSegments, Matrix4, Mesh, MeshLambertMaterial, BoxGeometry,
  PerspectiveCamera, Quaternion, Scene, SphereGeometry, Vector3, WebGLRenderer, REVISION,
} from "three";
export { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
