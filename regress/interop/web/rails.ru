# SPDX-License-Identifier: ISC
#
# usage: puma -b tcp://127.0.0.1:PORT rails.ru
#
# An application on Rails with what it checks by default: the token of a form,
# that Origin is the host and scheme that it was asked by, and the same for the
# WebSocket of Action Cable. The scheme is what X-Forwarded-Proto says.

require "logger"
require "rails"
require "action_controller/railtie"
require "action_cable/engine"

class App < Rails::Application
  config.load_defaults "#{Rails::VERSION::MAJOR}.#{Rails::VERSION::MINOR}"
  config.root = ENV.fetch("APP_ROOT")
  config.eager_load = false
  config.secret_key_base = "for a test"
  config.hosts.clear
  config.logger = Logger.new($stderr)
  config.action_cable.disable_request_forgery_protection = false
  config.action_cable.allow_same_origin_as_host = true
  config.action_cable.mount_path = "/cable"
  config.action_cable.cable = { "adapter" => "async" }
end

module ApplicationCable
  class Connection < ActionCable::Connection::Base
  end
end

class PagesController < ActionController::Base
  protect_from_forgery with: :exception

  FORM = <<~PAGE
    <!doctype html><title>Rails</title><h1><%= @who %></h1>
    <%= form_tag "/login" do %><input name=name id=name>
    <button>In</button><% end %>
    <pre id=said></pre><script>
    const to = new WebSocket(location.href.replace(/^http/, "ws")
        .replace(/[?#].*/, "") + "cable", ["actioncable-v1-json"]);
    const say = (x) => document.getElementById("said").append(x + "\\n");
    to.onmessage = (e) => say(JSON.parse(e.data).type);
    to.onclose = (e) => say("closed");
    </script>
  PAGE

  def page
    @who = session[:name] ? "in as #{session[:name]}" : "out"
    response.headers["Referrer-Policy"] = params[:policy] if params[:policy]
    render inline: FORM
  end

  def login
    session[:name] = params[:name]
    redirect_to "/"
  end
end

App.initialize!
App.routes.draw do
  root to: "pages#page"
  post "/login", to: "pages#login"
end
run App
